import ArgumentParser
import KoobatchCore

/// How long a command that waits for jobs does so.
struct WaitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Wait no longer than this, such as 90s or 12h; exit 124 then.", valueName: "time")
    )
    var waitTimeout: String?

    func validate() throws {
        guard let waitTimeout else { return }
        guard let seconds = DurationText.seconds(waitTimeout), seconds > 0, seconds <= Self.longest else {
            throw ValidationError("--wait-timeout: give a time such as 90s or 12h, not \(waitTimeout)")
        }
    }

    /// A century.
    private static let longest = 3_153_600_000.0

    /// `nil` waits for ever.
    var duration: Duration? {
        waitTimeout.flatMap(DurationText.seconds).map { .seconds($0) }
    }

    /// The end of a command whose time was over.
    var failure: Failure {
        Failure(code: .timedOut, "not finished within \(waitTimeout ?? "the time")")
    }
}
