import Foundation
import TestSupport
import Testing

/// A koobatch under everything at once, in rounds: steps that are each followed by a look at all of it, then an end of all jobs
/// under good conditions, at which the daemon is measured.
final class SoakRun {
    /// What happens to the daemon.
    enum Kind: String, CustomTestStringConvertible {
        /// It runs all the time, so that its memory can be compared.
        case undisturbed = "one daemon from the beginning to the end"
        /// It is killed and stopped again and again, at any moment.
        case killed = "a daemon that is killed and stopped"

        var testDescription: String { rawValue }
    }

    /// How long jobs may take once everything works.
    private static let patience = Duration.seconds(120)
    private static let settings = """
        submit: {timeout: 1, max_in_flight: 8}
        retry: {base_delay: 0.02, max_delay: 0.3}
        poll: {initial_delay: 0.02, max_delay: 0.3, result_timeout: 3}
        shutdown: {grace: 3}
        """

    let kind: Kind
    let koobatch: Koobatch
    let clock: ShiftedClock
    let changes: FileChanges
    var dice: Dice
    var ledger = SoakLedger()
    /// How often each thing was done.
    private(set) var done: [String: Int] = [:]
    private(set) var figures: [SoakFigures] = []
    private var samples = 0
    private let began = ContinuousClock.now

    init(_ kind: Kind, seed: UInt64) throws {
        self.kind = kind
        dice = Dice(seed: seed, subject: kind.rawValue)
        koobatch = try Koobatch(settings: Self.settings)
        clock = try ShiftedClock()
        changes = FileChanges(database: koobatch.shell.database)
        try koobatch.start(environment: clock.environment, hasOwnClock: true)
    }

    /// What was done, for the report.
    var summary: String {
        let list = done.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return "\(ledger.read) requests, \(ledger.checks) checks, \(ledger.repetitions) repetitions seen; \(list)"
    }

    /// Goes on until the time is up and returns the rules that are broken; the first that is ends it.
    func run(for time: Duration) throws -> [String] {
        let isShort = time < .seconds(60)
        var complaints: [String] = []
        while complaints.isEmpty, figures.isEmpty || ContinuousClock.now - began < time {
            try putFaults()
            for _ in 0..<(isShort ? 8 : dice.int(10...40)) where complaints.isEmpty {
                try step()
                changes.wait()
                complaints += try look()
            }
            if complaints.isEmpty { complaints += try settle() }
            if complaints.isEmpty { complaints += try endOfRound() }
        }
        if complaints.isEmpty, kind == .undisturbed, let first = figures.dropFirst().first ?? figures.first,
            let last = figures.last
        {
            complaints += last.complaints(since: first)
        }
        if complaints.isEmpty, try koobatch.stop() != 0 { complaints.append("the daemon ended with an error") }
        return complaints.isEmpty
            ? [] : complaints.prefix(20) + [try koobatch.daemon?.errors.suffix(4_000).description ?? ""]
    }

    func note(_ name: String) {
        done[name, default: 0] += 1
    }

    /// What a shell prints; `nil` if a rule or a lock of somebody else forbids it.
    func shell(_ statements: String) throws -> String? {
        do {
            return try koobatch.shell.run(statements)
        } catch let refusal as SQLiteShell.Refusal {
            note(refusal.message.contains("locked") ? "locked out" : "refused by a rule")
            return nil
        }
    }

    /// Reads on in the simulator's journal.
    func readJournal() throws {
        let lines = try koobatch.simulator.curl("\(koobatch.simulator.endpoint)/sim/journal?after=\(ledger.read)")
        let decoder = JSONDecoder()
        ledger.read(
            try lines.split(separator: "\n")
                .map { try decoder.decode(SimulatorProcess.Entry.self, from: Data($0.utf8)) }
        )
    }

    /// Every rule that is broken now.
    private func look() throws -> [String] {
        if koobatch.daemon?.isRunning != true { return ["the daemon has ended"] }
        try readJournal()
        let read = ledger.read
        let snapshot = try SoakSnapshot(koobatch.shell)
        try readJournal()
        return ledger.complaints(snapshot, madeAfter: read)
    }

    private func step() throws {
        switch dice.int(1...100) {
        case 1...45: try insert()
        case 46...75: try steer()
        case 76...80: try putFaults()
        case 81...84: try setClock()
        case 85...87: try hold()
        case 88...90: try suspend()
        case 91...93: try ask()
        case _ where kind == .killed: try restart()
        default: try insert()
        }
    }

    /// Everything works again and every job comes to its end: what waits for an operator is decided.
    private func settle() throws -> [String] {
        try clock.set(ahead: .zero)
        try koobatch.simulator.faults("{}")
        try koobatch.simulator.tokens(valid: [Koobatch.token])
        if koobatch.daemon?.isRunning != true { try koobatch.start(environment: clock.environment, hasOwnClock: true) }
        koobatch.daemon?.signal(SIGHUP)
        // Its answer shows that the clock, which may have been set forward, is right: what has expired waits for that.
        _ = try latency()
        let deadline = ContinuousClock.now + Self.patience
        while try shell("SELECT count(*) FROM command_jobs WHERE finished_at IS NULL") != "0" {
            if ContinuousClock.now > deadline { return [try unfinished()] }
            _ = try shell("UPDATE command_jobs SET state = 'running' WHERE state = 'paused';")
            try settleHeld()
            changes.wait()
        }
        return try look()
    }

    private func unfinished() throws -> String {
        let rows = try koobatch.shell.run(
            ".mode line\nSELECT * FROM daemon; SELECT * FROM why; SELECT * FROM job_status WHERE finished_at IS NULL;"
        )
        return "not finished within \(Self.patience): \(rows)"
    }

    /// Checks the file, measures the daemon, and deletes what has finished.
    private func endOfRound() throws -> [String] {
        var complaints: [String] = []
        let check = try koobatch.shell.run("PRAGMA integrity_check; PRAGMA foreign_key_check;")
        if check != "ok" { complaints.append("integrity: \(check)") }
        if figures.count % 5 == 0 {
            let doctor = try koobatch.run(["doctor", "--full"])
            note("doctor")
            if doctor.status != 0 { complaints.append("doctor: \(doctor.output) \(doctor.errors)") }
        }
        let latencies = try (0..<9).map { _ in try latency() }
        complaints += try look()
        figures.append(
            try SoakFigures(
                koobatch,
                seconds: Int((ContinuousClock.now - began).components.seconds),
                requests: ledger.read,
                latencies: latencies
            )
        )
        try delete(share: 90)
        return complaints
    }

    /// Milliseconds from the end of an insert of one instance to its request.
    private func latency() throws -> Double {
        samples += 1
        let name = "latency\(samples)x"
        let printed = try koobatch.shell.run(
            """
            INSERT INTO command_jobs (command, instance_ids, label) VALUES ('id', '["\(name)0"]', '\(name)');
            SELECT last_insert_rowid(), CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER);
            """
        ).split(separator: "|").compactMap { Double($0) }
        let job = Int(printed[0])
        ledger.inserted(SoakLedger.Job(id: job, name: name, instances: 1, isOnceOnly: false))
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = \(job)")
        let arrival = try koobatch.simulator.curl("\(koobatch.simulator.endpoint)/sim/arrivals?prefix=\(name)0&limit=1")
        let number = try #require(arrival.firstMatch(of: /"microseconds":([0-9]+)/)?.output.1)
        return try #require(Double(number)) / 1_000 - printed[1]
    }
}
