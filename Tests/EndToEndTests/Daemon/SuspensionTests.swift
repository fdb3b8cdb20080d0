import Foundation
import TestSupport
import Testing

/// The process of the daemon stands still for a while: SIGSTOP, a frozen cgroup, a paused virtual machine.
@Suite("A daemon that is suspended", .programs)
struct SuspensionTests {
    @Test(
        "beyond the time limit of its requests reads the answers that came meanwhile, and repeats nothing",
        arguments: ["retry", "hold", "fail"]
    )
    func answersInTheSocket(onUnknown: String) throws {
        let koobatch = try Koobatch(settings: "submit: {timeout: 2}\n" + Koobatch.eager)
        let daemon = try koobatch.start()
        // Until the API has accepted a request of this daemon, one goes at a time.
        _ = try koobatch.insert(instances: 1, prefix: "first")
        try koobatch.waitUntilFinished()
        try koobatch.simulator.faults(
            """
            {"rules": [{"on":"submit","kind":"delay","seconds":1}, {"on":"query","kind":"delay","seconds":4},
                       {"on":"query","kind":"error"}]}
            """
        )
        _ = try koobatch.insert(instances: 64, columns: [("on_unknown", "'\(onUnknown)'")])
        try koobatch.waitForJournal(of: 3)
        daemon.signal(SIGSTOP)
        // Answered when the daemon's requests have been answered, and when their time limit is over.
        let query = "\(koobatch.simulator.endpoint)/v1/instances/tasks/none"
        let said = try koobatch.simulator.curl(
            "--header",
            "X-Auth-Token: \(Koobatch.token)",
            "--header",
            "x-request-id: suspended",
            query
        )
        #expect(said.contains("error_code") && !said.contains("header is missing"), "\(said)")
        #expect(try koobatch.shell.run("SELECT count(*) FROM attempts WHERE outcome IS NULL") == "2")
        try koobatch.simulator.faults("{}")
        daemon.signal(SIGCONT)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status WHERE id = 2") == "succeeded|64")
        #expect(try koobatch.shell.run("SELECT count(*), group_concat(DISTINCT outcome) FROM attempts") == "3|accepted")
        #expect(try koobatch.simulator.journal().count == 3)
        try koobatch.expectTruth()
    }
}
