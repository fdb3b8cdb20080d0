/// Makes a response wrong on its way: its head, its framing, its coding, or how its bytes are sent.
///
/// None of this makes an answer that accepts into one that refuses: the body is left alone, and so are the digits of the
/// status.
struct ResponseMutation {
    /// Stands in fields in which a client may look for something to show.
    let secret: String
    /// The bytes of a response that belongs to no request.
    let stranger: [UInt8]

    private static let mostPause = 120

    /// The steps in which a response is sent, and the kinds of mutation.
    func script(_ original: RawResponse, mutations: Int, _ dice: inout Dice) -> AnswerScript {
        var response = original
        var kinds: [String] = []
        for _ in 0..<mutations where dice.percent(70) { kinds.append("head." + changeHead(&response, &dice)) }
        var script = AnswerScript(steps: [.send(response.bytes)])
        if mutations > 0, dice.percent(60) { kinds.append("wire." + changeWire(&script, response, &dice)) }
        if dice.percent(kinds.contains("head.length") ? 60 : 10) { script.steps.append(.close) }
        script.kinds = kinds
        return script
    }

    private func changeHead(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        switch dice.int(0...11) {
        case 0: changeLength(&response, &dice)
        case 1: changeChunks(&response, &dice)
        case 2: changeCoding(&response, &dice)
        case 3: changeConnection(&response, &dice)
        default: changeFields(&response, &dice)
        }
    }

    private func changeFields(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        switch dice.int(0...7) {
        case 0:
            response.fields += response.fields + ["Date: yesterday", "Date: \(secret)"]
            return "duplicate-fields"
        case 1:
            response.fields.append("X-Long: " + String(repeating: "x", count: dice.pick(9_000, 70_000, 200_000)))
            return "huge-field"
        case 2:
            response.fields += (0..<dice.pick(50, 500, 5_000)).map { "X-\($0): y" }
            return "many-fields"
        case 3:
            response.fields.append("X-Folded: a\r\n b\r\n\tc")
            return "folded-field"
        case 4:
            response.fields.append(
                dice.pick("No colon", ": no name", "A b: c", "X: \u{1}\u{7F}", "X\u{0}: y", "X: \u{0}")
            )
            return "bad-field"
        case 5:
            response.fields.append("Set-Cookie: \(secret)")
            response.reason = dice.pick(secret, "", "Ünïcödé", String(repeating: "r", count: 20_000))
            return "reason"
        case 6:
            response.version = dice.pick(
                "HTTP/1.0",
                "HTTP/1.2",
                "HTTP/2.0",
                "HTTP/9.9",
                "http/1.1",
                "ICY",
                "HTTP/1",
                secret
            )
            return "version"
        default:
            response.fields.append("Retry-After: " + Self.retryAfter(secret, &dice))
            return "retry-after"
        }
    }

    /// A time to wait that nobody means.
    static func retryAfter(_ secret: String, _ dice: inout Dice) -> String {
        dice.pick(
            "0",
            "1",
            "-1",
            "3600",
            "18446744073709551616",
            String(repeating: "9", count: 4_000),
            "1e9",
            "soon",
            "",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Sun, 31 Feb 2027 25:61:61 GMT",
            secret,
            "٣",
            "0x10",
            "1, 2"
        )
    }

    private func changeLength(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        let count = response.body.count
        let lines: [String] =
            switch dice.int(0...8) {
            case 0: []
            case 1: ["Content-Length: \(count)", "Content-Length: \(count)"]
            case 2: ["Content-Length: \(count)", "Content-Length: \(count + 1)"]
            case 3: ["Content-Length: \(count + dice.int(1...500))"]
            case 4: ["Content-Length: \(max(0, count - dice.int(1...500)))"]
            case 5: ["Content-Length: " + dice.pick("-1", "x", "", "0x10", "+\(count)", "18446744073709551617", "1e3")]
            case 6: ["Content-Length: \(count)", "Transfer-Encoding: chunked"]
            case 7:
                ["Transfer-Encoding: " + dice.pick("identity", "gzip", "chunked, gzip", "\u{B}chunked", "chunked;q=1")]
            default: ["Content-Length: \(count), \(count)"]
            }
        response.framing = .none
        response.fields += lines
        return "length"
    }

    private func changeChunks(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        if dice.percent(60) {
            response.framing = .chunked(sizes: (0..<dice.int(0...60)).map { _ in dice.int(1...40) })
            response.trailers = dice.pick(
                [],
                ["X-Trailer: y"],
                ["Content-Length: 1"],
                ["Content-Encoding: gzip"],
                [secret]
            )
            if dice.percent(20) { response.trailers += Array(repeating: "T: y", count: 3_000) }
            return "chunked"
        }
        response.framing = .none
        response.fields.append("Transfer-Encoding: chunked")
        let size = dice.pick("ffffffffffffffff", "-1", "1_0", "", "\(secret)", "7fffffff", "0", "5;ext=\(secret)", "g")
        response.body = Array((size + "\r\n").utf8) + response.body + Array("\r\n0\r\n\r\n".utf8)
        return "bad-chunks"
    }

    private func changeCoding(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        switch dice.int(0...4) {
        case 0:
            response.fields.append("Content-Encoding: " + dice.pick("gzip", "x-gzip", "GZIP"))
            response.body = StoredStream.gzip(response.body)
            return "gzip"
        case 1:
            response.fields.append("Content-Encoding: deflate")
            response.body = StoredStream.zlib(response.body)
            return "deflate"
        case 2:
            response.fields.append("Content-Encoding: " + dice.pick("gzip", "deflate"))
            if dice.percent(50) { response.body = StoredStream.gzip(response.body).dropLast(dice.int(1...12)) + [0xFF] }
            return "bad-coding"
        default:
            response.fields += dice.pick(
                ["Content-Encoding: br"],
                ["Content-Encoding: zstd"],
                ["Content-Encoding: \(secret)"],
                ["Content-Encoding: gzip", "Content-Encoding: gzip"],
                ["Content-Encoding: gzip, br"],
                ["Content-Encoding: identity"],
                ["Content-Encoding:"],
                ["X-Koobatch-Content-Coding: \(secret)"]
            )
            return "unknown-coding"
        }
    }

    private func changeConnection(_ response: inout RawResponse, _ dice: inout Dice) -> String {
        response.fields.append(
            dice.pick(
                "Connection: close",
                "Connection: upgrade\r\nUpgrade: h2c",
                "Connection: keep-alive, close",
                "Connection: \(secret)",
                "Keep-Alive: timeout=0, max=0",
                "Proxy-Connection: close"
            )
        )
        return "connection"
    }

    private func changeWire(_ script: inout AnswerScript, _ response: RawResponse, _ dice: inout Dice) -> String {
        let bytes = response.bytes
        switch dice.int(0...9) {
        case 0...2:
            script.steps = [.send(Array(bytes.prefix(dice.int(0...bytes.count - 1)))), dice.pick(.close, .reset)]
            return "cut"
        case 3:
            script.steps = [.send(Array(bytes.prefix(dice.int(0...bytes.count - 1))))]
            return "silent"
        case 4:
            let middle = dice.int(0...bytes.count)
            script.steps = [
                .send(Array(bytes[..<middle])), .pause(milliseconds: dice.int(1...Self.mostPause)),
                .send(Array(bytes[middle...])),
            ]
            return "pieces"
        case 5:
            script.steps.insert(.pause(milliseconds: dice.int(1...Self.mostPause * 5)), at: 0)
            return "delay"
        case 6:
            let informational = dice.pick(
                "HTTP/1.1 100 Continue\r\n\r\n",
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
                "HTTP/1.1 102 X\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n",
                "HTTP/1.1 199 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\n{}"
            )
            let count = dice.pick(1, 2, 16, 17, 1_000)
            script.steps.insert(.send(Array(String(repeating: informational, count: count).utf8)), at: 0)
            return "informational"
        case 7:
            script.steps = [.send(bytes + stranger)]
            return "second-answer"
        case 8:
            script.steps +=
                [.pause(milliseconds: dice.int(0...Self.mostPause)), .send(stranger)]
            return "late-answer"
        default:
            script.steps = [.send(flipped(bytes, from: 13, to: response.head.count - 1, &dice))]
            return "flipped-bits"
        }
    }

    /// The bytes with one to three bits of a part turned over.
    private func flipped(_ original: [UInt8], from first: Int, to last: Int, _ dice: inout Dice) -> [UInt8] {
        var bytes = original
        guard first < last, last < bytes.count else { return bytes }
        for _ in 0..<dice.int(1...3) { bytes[dice.int(first...last)] ^= 1 << UInt8(dice.int(0...7)) }
        return bytes
    }
}
