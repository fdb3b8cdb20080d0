import Foundation
import TestSupport
import Testing

@Suite("The main job, with the real programs and the sqlite3 shell", .programs)
struct MainJobTests {
    @Test("a job is sent in exactly ⌈n/32⌉ requests", arguments: [1, 31, 32, 33, 64, 1_000, 100_000])
    func exactRequests(instances: Int) throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        _ = try koobatch.insert(instances: instances)
        let truth = Truth(koobatch: koobatch)
        let sum = "pending + submitted + succeeded + failed + unknown + cancelled + rejected"
        let look = "SELECT \(sum) = total, finished_at IS NOT NULL FROM job_status"
        try koobatch.changes.wait(within: .seconds(240), else: koobatch.shell.run("SELECT * FROM job_status")) {
            // At every moment, not only at the end.
            let seen = try koobatch.shell.run(look)
            #expect(seen.hasPrefix("1|"))
            return seen.hasSuffix("|1")
        }
        #expect(
            try koobatch.shell.run("SELECT state, succeeded, percent_done FROM job_status")
                == "succeeded|\(instances)|100.0"
        )
        let journal = try koobatch.simulator.journal()
        #expect(journal.count == (instances + 31) / 32)
        #expect(journal.allSatisfy { $0.instance_ids.count <= 32 })
        #expect(Set(journal.map(\.request_id)).count == journal.count)
        #expect(journal.flatMap(\.instance_ids).count == instances)
        try truth.expectMappingsMatchJournal()
        try truth.expectEveryRequestIsAnAttempt()
        try truth.expectRepetitionsOnlyAfterUnknown()
        try truth.expectCountsAddUp()
        #expect(
            try koobatch.shell.run("SELECT state, output, instances FROM outputs") == "succeeded|ok|\(instances)"
        )
        #expect(try koobatch.stop() == 0)
        try truth.expectIntegrity()
    }

    @Test("results, errors and output of every instance arrive")
    func results() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            """
            {"duration": 0.1,
             "instances": {"i3": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}},
                           "i5": {"output": "it's \\"five\\"\\nlines"}}}
            """
        )
        try koobatch.start()
        let job = try koobatch.insert(instances: 40, columns: [("label", "'forty'")])
        try koobatch.waitUntilFinished()
        #expect(
            try koobatch.shell.run("SELECT label, state, succeeded, failed FROM job_status WHERE id = \(job)")
                == "forty|partial|39|1"
        )
        #expect(
            try koobatch.shell.run(
                "SELECT state, error_code, error_msg FROM instance_status WHERE instance_id = 'i3'"
            ) == "failed|CPS0005|Phone not found."
        )
        #expect(
            try koobatch.shell.run("SELECT output FROM instance_status WHERE instance_id = 'i5'")
                == "it's \"five\"\nlines"
        )
    }

    @Test("a frozen instance is rejected alone, the others of its chunk succeed")
    func frozenInstance() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            """
            {"instances": {"i7": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004",
                                             "error_msg": "instance is frozen"}}}}
            """
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 64)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|63|1")
        #expect(
            try koobatch.shell.rows("SELECT instance_id, error_code FROM instance_status WHERE state = 'rejected'")
                == [["i7", "KOOPHONE.API.2004"]]
        )
        try Truth(koobatch: koobatch).expectCountsAddUp()
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
    }

    @Test("rows that were inserted while the daemon was down are done when it starts")
    func insertedBefore() throws {
        let koobatch = try Koobatch(settings: "submit: {max_in_flight: 1}")
        _ = try koobatch.insert(instances: 33, prefix: "a")
        _ = try koobatch.insert(instances: 33, prefix: "b", columns: [("priority", "5")])
        try koobatch.start()
        try koobatch.waitUntilFinished()
        let first = try #require(try koobatch.simulator.journal().first)
        #expect(first.instance_ids.allSatisfy { $0.hasPrefix("b") }, "the higher priority goes first")
    }

    @Test("without polling a job ends as submitted, with every mapping")
    func withoutPolling() throws {
        let koobatch = try Koobatch(settings: "poll: {enabled: false}")
        try koobatch.start()
        _ = try koobatch.insert(instances: 70)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, submitted, total FROM job_status") == "submitted|70|70")
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
        try Truth(koobatch: koobatch).expectCountsAddUp()
        #expect(try koobatch.simulator.statistics()["queries_received"] == 0)
    }
}
