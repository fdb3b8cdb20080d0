/// Answers to queries of tasks, right and wrong.
struct QueryAnswer {
    let texts: HostileText

    /// One result.
    private struct Result {
        var job: String
        var status: String
        var output: String
        var code = ""
        var message = ""
        /// Further members, each with a comma before it.
        var extra = ""

        var text: String {
            #"{"job_id":"\#(job)","status":\#(status),"error_code":"\#(code)","error_msg":"\#(message)""#
                + #","execute_msg":"\#(output)"\#(extra)}"#
        }
    }

    /// Whether the command failed on the instance of a job: the same in every answer that tells of it.
    static func hasFailed(job: String) -> Bool {
        Dice.hash(job) % 5 == 0
    }

    /// What each output begins with: whose it is.
    static func mark(job: String) -> String {
        "output of \(job);"
    }

    private static func result(_ job: String) -> Result {
        let failed = hasFailed(job: job)
        return Result(
            job: job,
            status: failed ? "-1" : "2",
            output: mark(job: job),
            code: failed ? "KOOPHONE.ADB.1" : ""
        )
    }

    private static func body(_ results: [String], code: String = #""0""#, extra: String = "") -> [UInt8] {
        HostileText.bytes(
            of: #"{"data":{"jobs":[\#(results.joined(separator: ","))]\#(extra)},"error_code":\#(code)}"#
        )
    }

    /// What the API answers.
    static func truthful(_ jobs: [String]) -> RawResponse {
        RawResponse(200, body(jobs.map { result($0).text }))
    }

    /// An answer with something wrong in its JSON, and what.
    func mutated(_ jobs: [String], strangers: [String], _ dice: inout Dice) -> (kind: String, response: RawResponse) {
        var results = jobs.map(Self.result)
        guard let index = results.indices.randomElement(using: &dice) else {
            return ("empty", RawResponse(200, Self.body([])))
        }
        var kind: String
        var code = #""0""#
        var extra = ""
        switch dice.int(0...11) {
        case 0:
            results.removeFirst(dice.int(1...results.count))
            kind = "missing"
        case 1:
            var other = results[index]
            (other.status, other.output) = (other.status == "2" ? "-1" : "2", other.output + " otherwise")
            results.append(other)
            kind = "contradictory"
        case 2:
            results += strangers.map(Self.result)
            kind = "foreign"
        case 3:
            results[index].status = dice.pick(
                "1",
                "0",
                "3",
                "null",
                "\"\"",
                "{}",
                "1e999",
                "9223372036854775808",
                "\"x\""
            )
            kind = "status"
        case 4:
            let other = results[dice.int(0...results.count - 1)].job
            results[index].extra = #","status":1,"execute_msg":"""#
            if other != results[index].job, dice.percent(50) {
                results[index].extra = #","job_id":"\#(other)""#
                results.removeAll { $0.job == other }
            }
            kind = "duplicate-name"
        case 5:
            code = dice.pick("0", "null", #""KOOPHONE.API.1000""#, #""KOOPHONE.API.9999""#, "{}", #""x""#)
            kind = "code"
        case 6:
            extra = dice.pick(#","jobs":[]"#, #","deep":\#(String(repeating: "[", count: 100_000))"#, #","n":1e99999"#)
            kind = "structure"
        case 7:
            results[index].output += String(
                repeating: dice.pick("x", "é", #"\u0000"#, #"\n"#),
                count: dice.pick(5_000, 90_000)
            )
            kind = "long-output"
        default:
            let (name, text) = texts.text(&dice)
            switch dice.int(0...2) {
            case 0: results[index].output += text
            case 1: results[index].message = text
            default: results[index].code = text
            }
            kind = name
        }
        return (kind, RawResponse(200, Self.body(results.map(\.text), code: code, extra: extra)))
    }
}
