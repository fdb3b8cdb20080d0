import Foundation

/// What a client saw in answer to one request.
struct Exchange: Sendable {
    /// Nil when the connection closed without an answer.
    let status: Int?
    let fields: [String: String]
    let body: String

    init(_ text: String) throws {
        guard let end = text.range(of: "\r\n\r\n") else {
            status = nil
            fields = [:]
            body = text
            return
        }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
        fields = Dictionary(
            lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), parts[1].trimmingCharacters(in: .whitespaces))
            },
            uniquingKeysWith: { $0 + "," + $1 }
        )
        let raw = String(text[end.upperBound...])
        body = fields["transfer-encoding"] == "chunked" ? Self.joined(chunks: raw) : raw
    }

    /// Whether as many bytes came as the head promised.
    var isComplete: Bool {
        fields["content-length"].flatMap { Int($0) } == body.utf8.count
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body.utf8))
    }

    private static func joined(chunks: String) -> String {
        var rest = Array(chunks.utf8)[...]
        var bytes: [UInt8] = []
        while let end = rest.firstIndex(of: 13) {
            guard let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0 else { break }
            bytes += rest.dropFirst(end - rest.startIndex + 2).prefix(size)
            rest = rest.dropFirst(end - rest.startIndex + 2 + size + 2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

struct SubmitResponse: Decodable {
    struct Payload: Decodable {
        let task_id: String
        let cmd_jobs: [Mapping]
    }
    struct Mapping: Decodable {
        let instance_id: String
        let job_id: String
    }

    let data: Payload
    let error_msg: String
}

struct QueryAnswer: Decodable {
    struct Payload: Decodable {
        let jobs: [Job]
    }
    struct Job: Decodable {
        let job_id: String
        let status: Int
        let error_code: String
        let error_msg: String
        let execute_msg: String
    }

    let data: Payload
    let error_code: String
}

struct ErrorAnswer: Decodable, Equatable {
    let error_code: String
    let error_msg: String
}

struct JournalLine: Decodable {
    let n: Int
    let at: String
    let request_id: String?
    let command: String?
    let instance_ids: [String]
    let executed: Bool
    let task_id: String?
    let jobs: [[String]]
    let answer: String
    let error_code: String?
    let fault: String?
}
