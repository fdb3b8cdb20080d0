import Foundation
import TestSupport
import Testing

/// Triggers and indexes that a user has put on the tables of koobatch.
@Suite("Rules that a user has added to the database", .programs)
struct ForeignRulesTests {
    private let koobatch: Koobatch

    init() throws {
        koobatch = try Koobatch(settings: "poll: {initial_delay: 0.02, max_delay: 0.1}\nshutdown: {grace: 20}")
    }

    @Test("as triggers whose table is gone concern statements of shells only", arguments: ["command_jobs", "chunks"])
    func brokenTrigger(table: String) throws {
        _ = try koobatch.insert(instances: 64)
        try koobatch.shell.run(
            """
            CREATE TABLE mine (x);
            CREATE TRIGGER note AFTER UPDATE ON \(table) BEGIN INSERT INTO mine VALUES (1); END;
            DROP TABLE mine;
            """
        )
        try koobatch.start()
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|64")
        #expect(try koobatch.stop() == 0)
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
    }

    @Test("keep no acceptance from being recorded for good, and nothing is sent twice")
    func refusedAcceptance() throws {
        try koobatch.shell.run("CREATE UNIQUE INDEX mine ON chunks (command_job_id) WHERE task_id IS NOT NULL;")
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 64, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'finished'")
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state = 'submitting'") == "1")
        try koobatch.shell.run("DROP INDEX mine;")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|64")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        let lines = try daemon.errors.split(separator: "\n").filter { $0.contains("An answer cannot be recorded") }
        #expect(!lines.isEmpty && lines.allSatisfy { $0.contains("task.id") && $0.contains("task.job_ids") })
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
    }

    @Test("do not keep the daemon from ending when results cannot be recorded")
    func refusedResults() throws {
        try koobatch.shell.run("CREATE UNIQUE INDEX mine ON chunks (command_job_id) WHERE state = 'finished';")
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 64)
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'finished'")
        let begin = ContinuousClock.now
        #expect(try koobatch.stop() == 0)
        #expect(ContinuousClock.now - begin < .seconds(20), "it did not wait for the end of the grace")
        #expect(try daemon.errors.contains("Results cannot be recorded"))
        try koobatch.shell.run("DROP INDEX mine;")
        try koobatch.start()
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|64")
    }
}
