import Foundation
import TestSupport
import Testing

@Suite("A request that was sent and whose answer was lost", .programs)
struct UnknownOutcomeTests {
    /// How the answer is lost; in each case the API has acted.
    enum Loss: String, CaseIterable, CustomTestStringConvertible {
        case timeout = "no answer in time"
        case connection = "connection lost"
        case status502 = "502"
        case status504 = "504"
        case unreadable = "200 that is not JSON"
        case truncated = "200 that is cut short"
        case empty = "200 without a body"
        case kill = "daemon killed"

        var testDescription: String { rawValue }

        /// The fault of the simulator, for the first two requests.
        var rule: String {
            let kind =
                switch self {
                case .timeout, .kill: #""hang", "acted": true"#
                case .connection: #""drop_after""#
                case .status502: #""status_after", "status": 502"#
                case .status504: #""status_after", "status": 504"#
                case .unreadable: #""malformed""#
                case .truncated: #""truncated""#
                case .empty: #""empty""#
                }
            return #"{"on": "submit", "times": 2, "kind": \#(kind)}"#
        }

        /// What the attempt says.
        var errorCode: String {
            switch self {
            case .timeout: "koobatch.timeout"
            case .connection, .truncated: "koobatch.connection_lost"
            case .status502: "APIGW.0202"
            case .status504: "APIGW.0204"
            case .unreadable, .empty: "koobatch.bad_answer"
            case .kill: "koobatch.interrupted"
            }
        }
    }

    /// A job of two chunks, one at a time, when the answers to its first two requests have been lost.
    private func koobatch(_ loss: Loss, onUnknown: String) throws -> Koobatch {
        let timeout = loss == .timeout ? 0.7 : 60
        let koobatch = try Koobatch(settings: "submit: {timeout: \(timeout)}\n\(Koobatch.eager)")
        try koobatch.simulator.faults(#"{"rules": [\#(loss.rule)]}"#)
        try koobatch.start()
        _ = try koobatch.insert(
            instances: 64,
            columns: [("on_unknown", "'\(onUnknown)'"), ("max_concurrency", "1")]
        )
        if loss == .kill {
            for requests in 1...2 {
                try koobatch.waitForJournal(of: requests)
                koobatch.crash()
                try koobatch.start()
            }
        }
        return koobatch
    }

    private func expectUnknownAttempts(_ koobatch: Koobatch, _ loss: Loss) throws {
        #expect(
            try koobatch.shell.rows("SELECT error_code FROM attempts WHERE outcome = 'unknown'")
                == [[loss.errorCode], [loss.errorCode]]
        )
        let truth = Truth(koobatch: koobatch)
        try truth.expectEveryRequestIsAnAttempt()
        try truth.expectCountsAddUp()
    }

    @Test("is sent again with on_unknown retry, each time after an unknown attempt", arguments: Loss.allCases)
    func retry(loss: Loss) throws {
        let koobatch = try koobatch(loss, onUnknown: "retry")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|64")
        let executions = try koobatch.executions()
        #expect(executions.count == 64)
        #expect(executions.values.reduce(0, +) == 128)
        try expectUnknownAttempts(koobatch, loss)
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
    }

    @Test(
        "waits for an operator with on_unknown hold: one update sends it again, another gives it up",
        arguments: Loss.allCases
    )
    func hold(loss: Loss) throws {
        let koobatch = try koobatch(loss, onUnknown: "hold")
        try koobatch.wait(for: "SELECT count(*) = 2 FROM chunks WHERE state = 'unknown'")
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "running|64")
        let sent = try koobatch.simulator.journal()
        #expect(Set(sent.flatMap(\.instance_ids)).count == 64)
        #expect(
            try koobatch.shell.rows("SELECT chunk_id, blocker, request_id FROM why ORDER BY chunk_id")
                == [["", "hold", ""], ["1", "hold", sent[0].request_id], ["2", "hold", sent[1].request_id]]
        )
        #expect(
            try koobatch.shell.run("SELECT count(*) FROM why WHERE instr(explanation, '\(loss.errorCode)') > 0") == "2"
        )
        try expectUnknownAttempts(koobatch, loss)

        try koobatch.shell.run(
            """
            UPDATE chunks SET state = 'pending' WHERE id = 1;
            UPDATE chunks SET state = 'failed' WHERE id = 2;
            """
        )
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, unknown FROM job_status") == "partial|32|32")
        let journal = try koobatch.simulator.journal()
        #expect(journal.map(\.instance_ids) == (sent + sent.prefix(1)).map(\.instance_ids))
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
    }

    @Test("is given up with on_unknown fail, and nothing is sent twice", arguments: Loss.allCases)
    func fail(loss: Loss) throws {
        let koobatch = try koobatch(loss, onUnknown: "fail")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "failed|64")
        #expect(try koobatch.shell.run("SELECT DISTINCT state, attempts FROM chunks") == "failed|1")
        let executions = try koobatch.executions()
        #expect(executions.count == 64)
        #expect(executions.values.allSatisfy { $0 == 1 })
        try expectUnknownAttempts(koobatch, loss)
    }
}
