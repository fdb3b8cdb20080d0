import ArgumentParser
import Foundation
import KooPhoneSimulator

/// The faults to begin with: a file, to which the flags add.
struct FaultOptions: ParsableArguments {
    @Option(help: "Seed of the draws; printed at the start.")
    var seed: UInt64?

    @Option(name: .customLong("faults"), help: "JSON file with a fault plan.", completion: .file(extensions: ["json"]))
    var file: String?

    @Option(help: "Seconds from the submission until a job ends.")
    var duration: Double?

    @Option(help: "Requests a second, submissions and queries together; more are answered 429.")
    var limit: Int?

    @Flag(help: "Send Retry-After: 1 when throttling.")
    var retryAfter = false

    @Option(help: "Seconds by which every answer is delayed.")
    var delay: Double?

    @Option(help: "Share of submissions that fail with HTTP 500 and are not carried out.")
    var failRate: Double?

    @Option(help: "Share of submissions whose connection is closed before they are carried out.")
    var dropBeforeRate: Double?

    @Option(help: "Share of submissions that are carried out although the connection is closed without an answer.")
    var dropAfterRate: Double?

    @Option(help: "Share of submissions that are never answered and not carried out.")
    var hangRate: Double?

    func validate() throws {
        for (name, rate) in [
            ("fail-rate", failRate), ("drop-before-rate", dropBeforeRate), ("drop-after-rate", dropAfterRate),
            ("hang-rate", hangRate),
        ] {
            guard (0...1).contains(rate ?? 0) else { throw ValidationError("--\(name) must be 0 to 1") }
        }
        for (name, seconds) in [("duration", duration), ("delay", delay)] {
            guard seconds ?? 0 >= 0 else { throw ValidationError("--\(name) must not be negative") }
        }
        guard limit ?? 0 >= 0 else { throw ValidationError("--limit must not be negative") }
    }

    func apply(to configuration: inout SimulatorConfiguration) throws {
        if let seed {
            configuration.seed = seed
        }
        if let file {
            configuration.faults = try Self.read(file)
        }
        if let duration {
            configuration.faults.duration = duration
        }
        if let limit {
            configuration.faults.limit = .init(perSecond: limit, retryAfter: retryAfter)
        }
        if let delay {
            var rule = FaultRule(.delay, on: .any)
            rule.seconds = delay
            configuration.faults.rules.append(rule)
        }
        let rates: [(FaultRule.Kind, Double?)] = [
            (.status, failRate), (.dropBefore, dropBeforeRate), (.dropAfter, dropAfterRate), (.hang, hangRate),
        ]
        for (kind, rate) in rates {
            if let rate {
                configuration.faults.rules.append(FaultRule(kind, on: .submit, probability: rate))
            }
        }
    }

    private static func read(_ file: String) throws -> FaultPlan {
        do {
            return try JSONDecoder().decode(FaultPlan.self, from: Data(contentsOf: URL(filePath: file)))
        } catch {
            throw ValidationError("--faults \(file): \(error)")
        }
    }
}
