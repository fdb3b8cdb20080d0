import ArgumentParser
import KoobatchStore

/// A flag for every column of `command_jobs` that a user may set; the schema checks what is given.
struct JobOptions: ParsableArguments {
    @Option(help: "Free text for people.")
    var label: String?

    @Option(help: "At most one unfinished job per key; another one is refused.")
    var uniqueKey: String?

    @Option(help: "Higher goes first. (default: 0)")
    var priority: Int64?

    @Option(help: ArgumentHelp("Send nothing before this time. (default: now)", valueName: "time"))
    var runAt: String?

    @Option(help: ArgumentHelp("Instances not submitted by then never will be.", valueName: "time"))
    var expiresAt: String?

    @Option(help: "Attempts per chunk before it fails. (default: 8)")
    var maxAttempts: Int64?

    @Option(
        help: ArgumentHelp(
            "When a request was sent but its answer was lost: retry, hold or fail. (default: retry)",
            valueName: "what"
        ),
        completion: .list(["retry", "hold", "fail"])
    )
    var onUnknown: String?

    @Option(help: ArgumentHelp("Chunks of this job in flight at once.", valueName: "chunks"))
    var maxConcurrency: Int64?

    @Option(help: ArgumentHelp("Pause once more instances failed: 5, or 2%.", valueName: "instances"))
    var maxErrors: String?

    @Option(help: ArgumentHelp("Send this many first; the rest once all of them succeeded.", valueName: "instances"))
    var canary: Int64?

    @Option(help: ArgumentHelp("After which a missing result counts as unknown.", valueName: "seconds"))
    var resultTimeout: Double?

    @Flag(help: "On each instance wait for the results of jobs that were inserted before.")
    var serializeInstances = false

    @Flag(help: "Insert the job paused; koobatch resume starts it.")
    var paused = false

    func validate() throws {
        if let resultTimeout, !resultTimeout.isFinite {
            throw ValidationError("--result-timeout: a number of seconds, not \(resultTimeout)")
        }
    }

    /// The columns that are given, in the order of the schema; a new column is one option and one line.
    var given: [JobSetting] {
        let columns: [(JobSetting.Column, JobSetting.Value?)] = [
            (.label, label.map { .text($0) }),
            (.uniqueKey, uniqueKey.map { .text($0) }),
            (.priority, priority.map { .whole($0) }),
            (.runAt, runAt.map { .text($0) }),
            (.expiresAt, expiresAt.map { .text($0) }),
            (.maxAttempts, maxAttempts.map { .whole($0) }),
            (.onUnknown, onUnknown.map { .text($0) }),
            (.maxConcurrency, maxConcurrency.map { .whole($0) }),
            (.maxErrors, maxErrors.map { .text($0) }),
            (.canary, canary.map { .whole($0) }),
            (.resultTimeout, resultTimeout.map { .number($0) }),
            (.serializeInstances, serializeInstances ? .whole(1) : nil),
        ]
        return columns.compactMap { column, value in value.map { JobSetting(column, $0) } }
    }
}
