import Foundation
import TestSupport
import Testing

/// What the API sends as text, from its answer to the terminal.
@Suite("Texts of the API", .programs)
struct TextTests {
    private struct Plan: Encodable {
        struct Rule: Encodable {
            var on = "query"
            var kind = "malformed"
            let body: String
        }

        let rules: [Rule]
    }

    /// What an answer says of a job, and what is stored of it: output, error code and error message.
    private static let results: [(answer: String, stored: [String])] = [
        (#""status":2,"execute_msg":"A\u0000B""#, ["A\u{FFFD}B", "", ""]),
        (#""status":2,"execute_msg":"half \ud83d, whole \ud83d\ude00""#, ["half \u{FFFD}, whole \u{1F600}", "", ""]),
        ("\"status\":2,\"execute_msg\":\"a\nb\t\u{1B}[2J\u{9B}c\"", ["a\nb\t\u{1B}[2J\u{9B}c", "", ""]),
        (#""status":2,"execute_msg":"\x1b C:\dir \u12""#, [#"\x1b C:\dir \u12"#, "", ""]),
        (#""status":2,"execute_msg":{"a":[1,null]}"#, [#"{"a":[1,null]}"#, "", ""]),
        (#""status":2,"execute_msg":-1.50"#, ["-1.50", "", ""]),
        (#""status":2,"execute_msg":null"#, ["", "", ""]),
        (
            "\"status\":-1,\"error_code\":\"CPS\\u0000\n5\",\"error_msg\":\"no\nphone\\u0000\\ud83d\",\"execute_msg\":\"=1+1\"",
            ["=1+1", "CPS\u{FFFD} 5", "no phone\u{FFFD}\u{FFFD}"]
        ),
    ]

    @Test("are kept as far as they can be read, and do no harm where they are shown")
    func texts() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"instances": {"*": {"never": true}}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: Self.results.count)
        try koobatch.wait(for: "SELECT count(*) = \(Self.results.count) FROM task_map")
        let jobs = try koobatch.shell.rows("SELECT job_id FROM task_map ORDER BY instance_id").map { $0[0] }
        let answers = zip(jobs, Self.results).map { #"{"job_id":"\#($0)",\#($1.answer)}"# }.joined(separator: ",")
        let body = #"{"data":{"jobs":[\#(answers)]},"error_code":"0"}"#
        let plan = String(decoding: try JSONEncoder().encode(Plan(rules: [.init(body: body)])), as: UTF8.self)
        try koobatch.simulator.faults(plan)
        try koobatch.waitUntilFinished()

        let rows = try koobatch.shell.rows(
            "SELECT hex(output), hex(error_code), hex(error_msg) FROM instance_status ORDER BY instance_id"
        )
        #expect(rows == Self.results.map { $0.stored.map { $0.utf8.map { String(format: "%02X", $0) }.joined() } })
        #expect(
            try koobatch.shell.run("SELECT count(*) FROM instance_status WHERE state = 'succeeded' AND output IS NULL")
                == "1"
        )
        #expect(try koobatch.counts() == "succeeded 7, failed 1")

        let table = try koobatch.run(["results", "1"]).output
        #expect(table.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(table)")
        #expect(table.contains(#"a\nb\t\u{1b}[2J\u{9b}c"#), "\(table)")
        #expect(
            try koobatch.run(["results", "1", "--format", "csv"]).output.contains("no phone\u{FFFD}\u{FFFD},'=1+1,")
        )
        let raw = try koobatch.run(["results", "1", "--format", "csv", "--csv-raw"]).output
        #expect(raw.contains("no phone\u{FFFD}\u{FFFD},=1+1,") && raw.contains(",-1.50,"))
        #expect(try koobatch.run(["results", "1", "--csv-raw"]).status == 64)
    }
}
