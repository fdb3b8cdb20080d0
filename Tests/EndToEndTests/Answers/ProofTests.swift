import Foundation
import TestSupport
import Testing

/// What an answer proves, end to end: nothing is taken for more than it says.
@Suite("An answer that is not the API's verdict", .programs)
struct ProofTests {
    /// An answer after the act, as the simulator's fault plan has it.
    struct AfterAct: CustomTestStringConvertible {
        let name: String
        let rule: String

        var testDescription: String { name }
    }

    private static func after(_ status: Int) -> AfterAct {
        AfterAct(name: "\(status)", rule: #"{"on":"submit","kind":"status_after","status":\#(status)}"#)
    }

    private static func contradicted(_ code: String) -> AfterAct {
        AfterAct(name: "data beside \(code)", rule: #"{"on":"submit","kind":"contradicted","error_code":"\#(code)"}"#)
    }

    static let afterAct: [AfterAct] =
        [500, 502, 503, 504, 599, 302, 303, 304, 600].map(after)
        + ["00000", "success", "KOOPHONE.API.9999", "APIGW.0308", "APIGW.0301"].map(contradicted) + [
            AfterAct(
                name: "500 as a page",
                rule: #"{"on":"submit","kind":"status_after","status":500,"body":"<html>"}"#
            ),
            AfterAct(name: "another request's answer", rule: #"{"on":"submit","kind":"crossed"}"#),
            AfterAct(name: "brotli", rule: #"{"on":"submit","kind":"encoded","encoding":"br"}"#),
            AfterAct(
                name: "408 as a page",
                rule: #"{"on":"submit","kind":"status_after","status":408,"body":"<html>"}"#
            ),
        ]

    @Test("after the act holds a chunk at its first request, and nothing is executed twice", arguments: afterAct)
    func hold(fault: AfterAct) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"rules": [\#(fault.rule)]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT count(*) FROM chunks WHERE state = 'unknown'")
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "running|3")
        #expect(try koobatch.shell.run("SELECT group_concat(outcome) FROM attempts") == "unknown")
        try koobatch.simulator.faults("{}")
        // Requests go on once the circuit closes: a second job passes.
        _ = try koobatch.insert(instances: 3, prefix: "b")
        try koobatch.wait(for: "SELECT count(*) FROM job_status WHERE id = 2 AND state = 'succeeded'")
        let executed = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == Set(executed).count)
        #expect(try koobatch.shell.run("SELECT rejected FROM job_status WHERE id = 1") == "0")
    }

    @Test(
        "but a gateway's page pauses requests, and the job goes on when it is gone",
        arguments: [400, 403, 404, 405, 413, 431]
    )
    func page(status: Int) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"rules": [{"on":"any","kind":"status","status":\#(status),"body":"<html>Blocked</html>"}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 1_000, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT count(*) >= 4 FROM attempts")
        #expect(try koobatch.shell.run("SELECT circuit <> 'closed' FROM daemon") == "1")
        #expect(try koobatch.shell.run("SELECT state, pending FROM job_status") == "running|1000")
        #expect(try koobatch.shell.run("SELECT last_error LIKE '%\(status)%' FROM daemon") == "1")
        try koobatch.simulator.faults("{}")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|1000")
    }

    @Test("and a compressed answer is understood", arguments: ["gzip", "deflate"])
    func compressed(coding: String) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"rules": [{"on":"any","kind":"encoded","encoding":"\#(coding)"}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|320")
        #expect(try koobatch.simulator.journal().count == 10)
    }

    @Test("and a page on a query has the task asked for again", arguments: [400, 403, 404, 413, 500])
    func queryPage(status: Int) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"rules": [{"on":"query","kind":"status","status":\#(status),"body":"<html>","times":3}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 64)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|64")
    }
}
