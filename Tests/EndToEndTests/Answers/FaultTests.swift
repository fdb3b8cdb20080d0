import Foundation
import TestSupport
import Testing

@Suite("Under faults of the API", .programs)
struct FaultTests {
    /// A fault of the simulator, as its plan has it, and how long requests may take.
    struct Fault: CustomTestStringConvertible {
        let name: String
        let rules: String

        var testDescription: String { name }
    }

    static let faults = [
        Fault(name: "500", rules: status(500, "KOOPHONE.API.9999")),
        Fault(
            name: "503 without a body",
            rules: #"{"on":"submit","kind":"status","status":503,"body":"","probability":0.3}"#
        ),
        Fault(name: "throttled", rules: status(429, "APIGW.0308")),
        Fault(
            name: "504 after acting",
            rules: """
                {"on":"submit","kind":"status_after","status":504,"error_code":"APIGW.0203",
                 "error_msg":"backend timeout","probability":0.3}
                """
        ),
        Fault(name: "delay", rules: #"{"on":"any","kind":"delay","seconds":0.05,"probability":0.5}"#),
        Fault(name: "hang before acting", rules: #"{"on":"submit","kind":"hang","acted":false,"probability":0.1}"#),
        Fault(name: "hang after acting", rules: #"{"on":"submit","kind":"hang","acted":true,"probability":0.1}"#),
        Fault(name: "dropped before acting", rules: rule("drop_before")),
        Fault(name: "dropped after acting", rules: rule("drop_after")),
        Fault(name: "truncated", rules: rule("truncated")),
        Fault(name: "not JSON", rules: rule("malformed")),
        Fault(name: "empty", rules: rule("empty")),
        Fault(name: "task_id too long", rules: rule("long_ids")),
        Fault(name: "mapping of a stranger", rules: rule("extra_mappings")),
        Fault(name: "error_code as a number", rules: rule("number_code")),
        Fault(
            name: "queries fail",
            rules: """
                {"on":"query","kind":"status","status":500,"error_code":"KOOPHONE.API.9999",
                 "error_msg":"internal error","probability":0.3}
                """
        ),
        Fault(name: "queries hang", rules: #"{"on":"query","kind":"hang","probability":0.1}"#),
    ]

    private static func rule(_ kind: String, probability: Double = 0.3) -> String {
        #"{"on":"submit","kind":"\#(kind)","probability":\#(probability)}"#
    }

    private static func status(_ status: Int, _ code: String) -> String {
        """
        {"on":"submit","kind":"status","status":\(status),"error_code":"\(code)","error_msg":"a fault","probability":0.3}
        """
    }

    private static let impatient = """
        submit: {timeout: 0.5}
        retry: {base_delay: 0.02, max_delay: 0.2}
        poll: {initial_delay: 0.02, max_delay: 0.2}
        """

    @Test("every instance ends mapped and with a result", arguments: faults)
    func alone(fault: Fault) throws {
        try complete(rules: fault.rules)
    }

    @Test("every instance ends mapped and with a result under all faults mixed")
    func mixed() throws {
        let rarely = Self.faults.map { $0.rules.replacing(/"probability": ?[0-9.]+/, with: #""probability":0.03"#) }
        try complete(rules: rarely.joined(separator: ","))
    }

    private func complete(rules: String) throws {
        let koobatch = try Koobatch(settings: Self.impatient)
        try koobatch.simulator.faults(#"{"seed": \#(Koobatch.seed), "rules": [\#(rules)]}"#)
        try koobatch.start()
        for prefix in ["a", "b"] {
            _ = try koobatch.insert(instances: 640, prefix: prefix, columns: [("max_attempts", "100")])
        }
        try koobatch.waitUntilFinished()
        #expect(
            try koobatch.shell.rows("SELECT state, succeeded FROM job_status")
                == [["succeeded", "640"], ["succeeded", "640"]]
        )
        #expect(try koobatch.stop() == 0)
        let truth = Truth(koobatch: koobatch)
        try truth.expectMappingsMatchJournal(answersMayBeLost: true)
        try truth.expectEveryRequestIsAnAttempt()
        try truth.expectRepetitionsOnlyAfterUnknown()
        try truth.expectCountsAddUp()
        try truth.expectIntegrity()
    }

    @Test(
        "instances that an answer leaves out are unknown, the others are kept, and nothing is sent again",
        arguments: ["retry", "hold", "fail"]
    )
    func missingMappings(onUnknown: String) throws {
        let koobatch = try Koobatch(settings: Self.impatient)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"missing_mappings","count":2,"times":1}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 64, columns: [("on_unknown", "'\(onUnknown)'")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, unknown FROM job_status") == "partial|62|2")
        #expect(
            try koobatch.shell.run("SELECT DISTINCT error_code FROM instance_status WHERE state = 'unknown'")
                == "koobatch.not_mapped"
        )
        let executed = try koobatch.simulator.journal().flatMap(\.instance_ids)
        #expect(executed.count == 64)
        #expect(Set(executed).count == 64)
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
        try Truth(koobatch: koobatch).expectCountsAddUp()
    }

    @Test(
        "a lost answer is held, and an update of the chunk sends it again or gives it up",
        arguments: ["pending", "failed"]
    )
    func hold(settledAs state: String) throws {
        let koobatch = try Koobatch(settings: Self.impatient)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"drop_after","times":1}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT count(*) FROM chunks WHERE state = 'unknown'")
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "running|3")
        let held = try koobatch.shell.rows("SELECT blocker, request_id FROM why WHERE chunk_id = 1")
        #expect(held == [["hold", try koobatch.simulator.journal()[0].request_id]])
        try koobatch.shell.run("UPDATE chunks SET state = '\(state)' WHERE id = 1;")
        try koobatch.waitUntilFinished()
        let sent = try koobatch.simulator.journal().count
        #expect(sent == (state == "pending" ? 2 : 1))
        #expect(
            try koobatch.shell.run("SELECT state, succeeded, unknown FROM job_status")
                == (state == "pending" ? "succeeded|3|0" : "failed|0|3")
        )
    }

    @Test("what runs out of attempts is failed, with the last error")
    func maxAttempts() throws {
        let koobatch = try Koobatch(settings: Self.impatient)
        try koobatch.simulator.faults(
            """
            {"rules": [{"on":"submit","kind":"status","status":500,"error_code":"KOOPHONE.API.9999",
                        "error_msg":"internal error"}]}
            """
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 33, columns: [("max_attempts", "3")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, failed FROM job_status") == "failed|33")
        #expect(try koobatch.shell.run("SELECT count(*) FROM attempts") == "6")
        #expect(
            try koobatch.shell.run("SELECT DISTINCT state, error_code FROM instance_status")
                == "failed|KOOPHONE.API.9999"
        )
    }

    @Test("an expired token stops the line without charging attempts; a new one lets it go on")
    func tokenRenewal() throws {
        let koobatch = try Koobatch(settings: Self.impatient)
        try koobatch.simulator.curl(
            "-X",
            "PUT",
            "-d",
            #"{"valid":["t1"],"expired":["\#(Koobatch.token)"]}"#,
            "\(koobatch.simulator.endpoint)/sim/tokens"
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT credentials = 'refused' FROM daemon")
        // A probe may be out, and is charged until its answer is recorded.
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks WHERE state = 'pending'") == "0")
        try "t1".write(to: koobatch.folder.appending(path: "token"), atomically: true, encoding: .utf8)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "succeeded")
    }
}
