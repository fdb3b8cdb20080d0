import ArgumentParser
import Foundation

/// Figures of the real programs, all in one run, so that they can be held against each other on any machine.
@main
struct KoobatchBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "koobatch-bench",
        abstract: "Measures the built koobatch against the built koophone-sim.",
        discussion: "Uses the programs beside itself; build them in release configuration first.",
        subcommands: [
            Load.self, Control.self, History.self, LimitsCommand.self, OutageCommand.self, PollingCommand.self,
        ],
        defaultSubcommand: Load.self
    )
}

/// Throughput, latency, idle cost.
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Throughput, latency, idle cost.")

    @Option(help: "Instances of the throughput job.")
    var instances = 100_000

    @Option(help: "Inserts for the latency figures.")
    var inserts = 200

    @Option(help: "Seconds to watch the idle daemon.")
    var idle = 30.0

    @Option(help: "Seconds of wrk-like load with the bare client, for the ratio.")
    var bare = 5.0

    func run() async throws {
        let bed = try TestBed()
        defer { bed.tearDown() }
        try bed.startDaemon()
        print("database on \(bed.folder.path), sqlite \(try bed.shell("SELECT sqlite_version()"))")
        try Latency(bed: bed).measure(inserts: inserts)
        try InsertLoop(bed: bed).measure(inserts: inserts)
        try IdleCost(bed: bed).measure(seconds: idle)
        let throughput = try Throughput(bed: bed).measure(instances: instances)
        let bareRate = try await BareClient(endpoint: bed.endpoint, tokenFile: bed.tokenFile).chunksPerSecond(for: bare)
        print("bare client, nothing stored: \(bareRate.rounded()) chunks/s")
        print("ratio koobatch / bare client: \(percent(throughput / bareRate))")
        try Restart(bed: bed).measure()
        try Views(bed: bed).measure(instances: 1_000_000)
    }
}

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
