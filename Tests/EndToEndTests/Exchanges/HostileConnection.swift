import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A connection of a `HostileServer`: the bytes that came in, and what is still to be done on it.
struct HostileConnection {
    /// A request that was read to its end.
    struct Request {
        let question: HostileCloud.Question
        let requestID: String
        let secret: String
    }

    private struct Body: Decodable {
        let command: String
        let instance_ids: [String]
    }

    let descriptor: Int32
    /// Tells it from a later one with the same descriptor.
    let number: Int
    var input: [UInt8] = []
    var steps: [AnswerScript.Step] = []
    /// Whether the head of a request is there whose body is not, and nothing was done about it.
    var hasUnansweredHead = false
    private var pausedUntil: ContinuousClock.Instant?
    private var seesHead = false

    init(descriptor: Int32, number: Int) {
        (self.descriptor, self.number) = (descriptor, number)
    }

    /// When its script goes on.
    var resumesAt: ContinuousClock.Instant? { pausedUntil }

    /// Whether it waits until the socket takes more bytes.
    var isBlocked: Bool {
        if case .send = steps.first { return pausedUntil == nil }
        return false
    }

    /// The next complete request of what came in.
    mutating func takeRequest() -> Request? {
        guard let end = input.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: input[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].trimmingPrefix(" "))
        }
        let length = fields["content-length"].flatMap(Int.init) ?? 0
        guard input.count - end.upperBound >= length else {
            hasUnansweredHead = !seesHead
            seesHead = true
            return nil
        }
        let body = Data(input[end.upperBound..<end.upperBound + length])
        input.removeFirst(end.upperBound + length)
        (seesHead, hasUnansweredHead) = (false, false)
        return Request(
            question: Self.question(lines[0], body),
            requestID: fields["x-request-id"] ?? "",
            secret: fields["x-auth-token"] ?? ""
        )
    }

    private static func question(_ line: String, _ body: Data) -> HostileCloud.Question {
        let parts = line.split(separator: " ")
        let tasks = "/v1/instances/tasks/"
        guard parts.count == 3 else { return .other }
        if parts[0] == "POST", parts[1] == "/v1/instances/async-command" {
            do {
                return .submission(instances: try JSONDecoder().decode(Body.self, from: body).instance_ids)
            } catch {
                return .other
            }
        }
        if parts[0] == "GET", parts[1].hasPrefix(tasks) {
            let segment = String(parts[1].dropFirst(tasks.count))
            if !segment.contains("/"), let task = segment.removingPercentEncoding { return .query(task: task) }
        }
        return .other
    }

    /// Goes on with the script; `false` once the connection is to be closed.
    mutating func advance(at now: ContinuousClock.Instant) -> Bool {
        if let pausedUntil {
            guard now >= pausedUntil else { return true }
            self.pausedUntil = nil
        }
        while let step = steps.first {
            switch step {
            case .send(let bytes):
                let count = bytes.isEmpty ? 0 : send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                if count < 0 { return errno == EAGAIN }
                if count < bytes.count {
                    steps[0] = .send(Array(bytes[count...]))
                    return true
                }
                steps.removeFirst()
            case .pause(let milliseconds):
                steps.removeFirst()
                pausedUntil = now + .milliseconds(milliseconds)
                return true
            case .close:
                return false
            case .reset:
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
                return false
            }
        }
        return true
    }
}
