import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

extension RequestHandler {
    private static let entriesInOnePart = 256

    /// The control API under `/sim`, which is not the real service's.
    func control(_ method: HTTPRequest.Method, target: RequestTarget, body: ByteBuffer) -> Answer {
        do {
            switch (method, target.path) {
            case (.put, "/sim/faults"):
                let plan = try Self.decode(FaultPlan.self, from: body)
                cloud.withLock { $0.replaceFaults(by: plan) }
                return try Self.encode(plan)
            case (.get, "/sim/faults"):
                return try Self.encode(cloud.withLock { $0.faults.plan })
            case (.delete, "/sim/faults"):
                cloud.withLock { $0.replaceFaults(by: FaultPlan()) }
                return try Self.encode(FaultPlan())
            case (.get, "/sim/stats"):
                return try Self.encode(cloud.withLock { $0.statistics })
            case (.get, "/sim/arrivals"):
                return arrivals(
                    prefix: target.value(of: "prefix") ?? "",
                    limit: target.value(of: "limit").flatMap { Int($0) } ?? .max
                )
            case (.post, "/sim/reset"):
                cloud.withLock { $0.reset() }
                return Answer(status: .noContent)
            case (.put, "/sim/tokens"):
                let tokens = try Self.decode(TokenReplacement.self, from: body)
                cloud.withLock { tokens.apply(to: &$0.tokens) }
                return Answer(status: .noContent)
            default:
                return Refusal(status: 404, code: "SIM.404", message: "the simulator has no such control").answer
            }
        } catch {
            return Refusal(status: 400, code: "SIM.400", message: "\(error)").answer
        }
    }

    /// `GET /sim/journal`, in parts, so that a long journal never holds up the service.
    func sendJournal(after text: Substring?, through writer: consuming ResponseWriter) async throws {
        let head = HTTPResponse(status: .ok, headerFields: [.contentType: "application/jsonl"])
        var body = try await writer.writeHead(head)
        var next = max(0, text.flatMap { Int($0) } ?? 0)
        while true {
            let start = next
            let part = cloud.withLock { cloud in
                Array(cloud.journal.entries.dropFirst(start).prefix(Self.entriesInOnePart))
            }
            guard !part.isEmpty else { break }
            var buffer = ByteBuffer()
            for entry in part {
                next += 1
                entry.write(number: next, to: &buffer, identifiers: identifiers)
            }
            try await body.write(buffer)
        }
        try await body.finish(nil)
    }

    /// `GET /sim/arrivals`: when submissions arrived, to the microsecond, and the first instance that each names.
    ///
    /// - Parameters:
    ///   - prefix: of that instance, as it stands in the request's JSON.
    ///   - limit: the most lines, from the first submission on.
    private func arrivals(prefix: Substring, limit: Int) -> Answer {
        let entries = cloud.withLock { $0.journal.entries }
        var buffer = ByteBuffer()
        var lines = 0
        for (index, entry) in entries.enumerated() {
            guard lines < limit else { break }
            guard let instance = entry.text.firstInstance, instance.starts(with: prefix.utf8) else { continue }
            let microseconds = Int64((entry.at.timeIntervalSince1970 * 1_000_000).rounded())
            buffer.writeString(#"{"n":\#(index + 1),"microseconds":\#(microseconds),"instance_id":""#)
            buffer.writeBytes(instance)
            buffer.writeStaticString("\"}\n")
            lines += 1
        }
        var answer = Answer(body: buffer)
        answer.fields[.contentType] = "application/jsonl"
        return answer
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }

    private static func encode(_ value: some Encodable) throws -> Answer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return Answer(body: ByteBuffer(bytes: try encoder.encode(value)))
    }
}

/// The tokens that replace those given at the start.
private struct TokenReplacement: Decodable {
    let valid: [String]
    let expired: [String]
    let revokesIssued: Bool

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case valid, expired
        case revokesIssued = "revoke_issued"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        valid = try container.decodeIfPresent([String].self, forKey: .valid) ?? []
        expired = try container.decodeIfPresent([String].self, forKey: .expired) ?? []
        revokesIssued = try container.decodeIfPresent(Bool.self, forKey: .revokesIssued) ?? false
    }

    func apply(to tokens: inout TokenTable) {
        tokens.replace(valid: valid, expired: expired)
        if revokesIssued {
            tokens.revokeIssued()
        }
    }
}
