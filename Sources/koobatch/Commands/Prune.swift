import ArgumentParser
import Foundation
import KoobatchCore
import KoobatchEngine
import KoobatchStore

/// `koobatch prune`.
struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deletes finished jobs past the retention, as the daemon does by itself; safe while it runs.",
        discussion: """
              koobatch prune --older-than 7d --dry-run
              koobatch prune --older-than 7d

            Asks first where the input is a terminal, unless --yes is given.
            """
    )

    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "Delete what finished longer ago than this, a number with a unit: s, min, h, d or w. "
                + "(default: retention.finished_jobs)",
            valueName: "time"
        )
    )
    var olderThan: String?

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Only say what would be deleted.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard let olderThan, DurationText.secondsWithUnit(olderThan) == nil else { return }
        let isNumber = DurationText.seconds(olderThan) != nil
        throw ValidationError(
            isNumber
                ? "--older-than: a unit is required: \(olderThan)d is days, \(olderThan)h is hours"
                : "--older-than: give a time such as 90s, 12h or 30d, not \(olderThan)"
        )
    }

    func run() async throws {
        try await reporting {
            let settings = try common.settings(for: .database)
            let given = olderThan.flatMap(DurationText.secondsWithUnit).map { Duration.seconds($0) }
            guard let age = given ?? settings.engine.retention else {
                throw Failure(
                    code: .failure,
                    "retention.finished_jobs is 0, which keeps finished jobs for ever; say --older-than 30d"
                )
            }
            let connection = try DatabaseClient(path: settings.database, access: .maintaining)
            try connection.requireCurrentSchema()
            let now = try Self.trustedNow(connection, database: settings.database)
            let cutoff = now + (.zero - age)
            let isToAsk = !dryRun && !yes && isatty(STDIN_FILENO) == 1
            if isToAsk {
                let extent = try connection.prunable(finishedBefore: cutoff)
                guard extent.jobs == 0 || Self.isConfirmed(extent, finishedBefore: cutoff) else {
                    throw Failure(code: .failure, "nothing is deleted")
                }
            }
            let extent =
                try dryRun
                ? connection.prunable(finishedBefore: cutoff) : await connection.prune(finishedBefore: cutoff)
            let verb = dryRun ? "would delete" : "deleted"
            try output.print(
                "\(verb) \(Self.text(extent)) that finished before \(cutoff)",
                json: [
                    ("jobs", .count(extent.jobs)), ("instances", .count(extent.instances)),
                    ("finished_before", .text("\(cutoff)")), ("dry_run", .flag(dryRun)),
                ]
            )
        }
    }

    /// The time, and not what a clock shows that has jumped forward, as far as a running daemon can tell.
    private static func trustedNow(_ connection: DatabaseClient, database: String) throws -> Timestamp {
        let now = EngineTime.system.now
        guard try OwnerLock.owner(ofDatabase: database) != nil, let trusted = try connection.daemonFacts().trusted
        else {
            return now
        }
        return min(now, trusted + .seconds(60))
    }

    private static func text(_ extent: DatabaseClient.Extent) -> String {
        "\(extent.jobs.of("job")) with \(extent.instances.of("instance"))"
    }

    /// Asks; anything but a yes is a no.
    private static func isConfirmed(_ extent: DatabaseClient.Extent, finishedBefore cutoff: Timestamp) -> Bool {
        FileHandle.standardError.write(
            Data("delete \(text(extent)) that finished before \(cutoff)? [y/N] ".utf8)
        )
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased()
        return answer == "y" || answer == "yes"
    }
}
