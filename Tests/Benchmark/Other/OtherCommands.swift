import ArgumentParser

/// How much of a limit of the API is used.
struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "How much of a limit of the API is used, before and after a restart."
    )

    @Option(help: "Seconds of each stretch.")
    var stretch = 30.0

    func run() throws { try Limits.measure(seconds: stretch) }
}

/// How an outage of the API is got over.
struct OutageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outage",
        abstract: "How an outage of the API is got over."
    )

    @Option(help: "Seconds of the outage.")
    var seconds = 60.0

    func run() throws { try Outage.measure(seconds: seconds) }
}

/// What asking for results costs.
struct PollingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "polling",
        abstract: "What asking for results costs, and how late results are recorded."
    )

    @Option(help: "Seconds that the longest command takes.")
    var longest = 300.0

    func run() throws { try Polling.measure(longest: longest) }
}

/// A share as whole per cent.
func percent(_ share: Double) -> String {
    "\(Int((share * 100).rounded())) %"
}

/// A duration in milliseconds with one decimal.
func milliseconds(_ seconds: Double) -> String {
    "\((seconds * 10_000).rounded() / 10) ms"
}
