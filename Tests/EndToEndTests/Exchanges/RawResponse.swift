/// A response of HTTP in parts, so that each part can be made wrong.
struct RawResponse {
    /// How the end of the body is told.
    enum Framing {
        case length
        case chunked(sizes: [Int])
        /// By the fields alone, whatever they say.
        case none
    }

    var version = "HTTP/1.1"
    var status: String
    var reason = "X"
    /// Whole lines.
    var fields = ["Content-Type: application/json"]
    var framing = Framing.length
    /// Lines after the last chunk.
    var trailers: [String] = []
    var body: [UInt8]

    init(_ status: Int, _ body: [UInt8]) {
        let digits = String(status)
        self.status = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        self.body = body
    }

    init(_ status: Int, _ body: String) {
        self.init(status, Array(body.utf8))
    }

    /// The status line and the fields, with the empty line after them.
    var head: [UInt8] {
        var lines = ["\(version) \(status) \(reason)"]
        switch framing {
        case .length: lines.append("Content-Length: \(body.count)")
        case .chunked: lines.append("Transfer-Encoding: chunked")
        case .none: break
        }
        return Array(((lines + fields).joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    var bytes: [UInt8] {
        guard case .chunked(let sizes) = framing else { return head + body }
        var bytes = head
        var rest = body[...]
        for size in sizes + [body.count] where !rest.isEmpty {
            let part = rest.prefix(max(1, size))
            bytes += Array((String(part.count, radix: 16) + "\r\n").utf8) + part + Array("\r\n".utf8)
            rest = rest.dropFirst(part.count)
        }
        return bytes + Array(("0\r\n" + trailers.map { $0 + "\r\n" }.joined() + "\r\n").utf8)
    }
}
