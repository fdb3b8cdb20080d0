import Foundation
import TestSupport
import Testing

/// Each rule of the soak is seen to fail: a check that cannot fail checks nothing.
@Suite("The rules of a soak", .programs)
struct SoakLedgerTests {
    private let koobatch: Koobatch
    private var ledger = SoakLedger()
    private let request: String

    /// A job that was done.
    init() throws {
        koobatch = try Koobatch()
        try koobatch.start()
        let id = try koobatch.insert(instances: 3, prefix: "s1n1x", columns: [("label", "'s1n1x'")])
        ledger.inserted(.init(id: id, name: "s1n1x", instances: 3, isOnceOnly: false))
        try koobatch.waitUntilFinished()
        let entry = try #require(try koobatch.simulator.journal().first)
        request = entry.request_id
        ledger.read([entry])
        #expect(ledger.complaints(try SoakSnapshot(koobatch.shell)) == [])
        #expect(try koobatch.stop() == 0)
        let drop = "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger'"
        try koobatch.shell.run(try koobatch.shell.run(drop))
    }

    /// A line of the journal for the instances of the job.
    private func entry(_ request: String, task: String = "t") throws -> SimulatorProcess.Entry {
        let text = """
            {"at": "2026-12-01T08:00:00.000Z", "request_id": "\(request)", "command": "ls", "executed": true, "answer": "200",
             "instance_ids": ["s1n1x0"], "task_id": "\(task)", "jobs": [["s1n1x0", "j"]]}
            """
        return try JSONDecoder().decode(SimulatorProcess.Entry.self, from: Data(text.utf8))
    }

    private mutating func complaints() throws -> String {
        ledger.complaints(try SoakSnapshot(koobatch.shell)).joined(separator: "\n")
    }

    @Test("a job that is lost, one of nobody and an instance that is lost are noticed")
    mutating func accounts() throws {
        ledger.inserted(.init(id: 9, name: "s9n9x", instances: 1, isOnceOnly: false))
        #expect(try complaints().contains("job 9 is lost"))
        ledger.inserted(.init(id: 1, name: "s1n1x", instances: 4, isOnceOnly: false))
        #expect(try complaints().contains("job 1 has 3 instances of 4"))
        ledger.deleted("s1n1x")
        #expect(try complaints().contains("job 1 is nobody's"))
    }

    @Test("a repetition that nobody asked for is noticed, and so is a request without an attempt")
    mutating func repetition() throws {
        ledger.read([try entry("another")])
        #expect(try complaints().contains("s1n1x0 ran again after \(request), whose outcome is accepted"))
        #expect(try complaints().contains("s1n1x0 ran by another, whose outcome is nowhere"))
    }

    @Test("a repetition after a lost answer is not, unless the job is to be sent once only", arguments: [false, true])
    mutating func onceOnly(_ isOnceOnly: Bool) throws {
        try koobatch.shell.run("UPDATE attempts SET outcome = 'unknown';")
        ledger.inserted(.init(id: 1, name: "s1n1x", instances: 3, isOnceOnly: isOnceOnly))
        ledger.read([try entry("another")])
        #expect(try complaints().contains("s1n1x0 ran again after \(request)") == isOnceOnly)
        ledger.released(["s1n1x0"])
        #expect(try complaints().contains("ran again") == false)
    }

    @Test("a mapping that is lost, and one that was never made, are noticed")
    mutating func mappings() throws {
        try koobatch.shell.run("UPDATE chunks SET task_id = 'wrong';")
        let told = try complaints()
        #expect(told.contains("s1n1x0") && told.contains("is lost"))
        #expect(told.contains("[\"wrong\", \"s1n1x0\"") && told.contains("was never made"))
    }

    @Test("counts that do not add up are noticed")
    mutating func counts() throws {
        try koobatch.shell.run("UPDATE chunk_instances SET states = 'ssf';")
        #expect(try complaints().contains("job 1 counts"))
    }
}
