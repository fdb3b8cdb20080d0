import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Takes requests off the wire, lets the cloud decide and sends what it decided.
final class RequestHandler: Sendable {
    /// The longest body that is read, in bytes.
    private static let longestBody = 4 << 20

    let configuration: SimulatorConfiguration
    let clock: @Sendable () -> Date
    let cloud: Mutex<SimulatedCloud>
    let identifiers: IdentifierScheme
    private let signatures: SignatureVerifier?

    init(configuration: SimulatorConfiguration, clock: @escaping @Sendable () -> Date) {
        let cloud = SimulatedCloud(configuration: configuration, startedAt: clock())
        self.configuration = configuration
        self.clock = clock
        self.identifiers = cloud.identifiers
        self.cloud = Mutex(cloud)
        self.signatures = configuration.accessKey.map(SignatureVerifier.init)
    }

    func respond(
        to request: Request,
        through writer: consuming ResponseWriter,
        on channel: any Channel
    ) async throws {
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.longestBody)
        } catch is NIOTooManyBytesError {
            try await Refusal.tooLarge.answer.send(through: writer, on: channel)
            return
        }
        let target = RequestTarget(request.head.path ?? "/")
        if request.method == .get, target.path == "/sim/journal" {
            try await sendJournal(after: target.value(of: "after"), through: writer)
        } else {
            try await answer(to: request.head, target: target, body: body).send(through: writer, on: channel)
        }
    }

    private func answer(to head: HTTPRequest, target: RequestTarget, body: ByteBuffer) -> Answer {
        let path = target.path
        if path == "/v1/instances/async-command", head.method == .post {
            return submit(head, body: body)
        }
        if path.hasPrefix("/v1/instances/tasks/"), head.method == .get {
            return query(path.dropFirst("/v1/instances/tasks/".count), head: head, body: body)
        }
        if path == "/v3/auth/tokens", head.method == .post {
            return issueToken(body)
        }
        if path.hasPrefix("/sim/") {
            return control(head.method, target: target, body: body)
        }
        return Refusal.unknownPath.answer
    }

    /// Who sends the request; checks a signature, which needs no state, but not a token, which does.
    func caller(_ head: HTTPRequest, body: ByteBuffer, at now: Date) -> Caller {
        let credential: Credential
        if let signatures, let authorization = head.headerFields[.authorization] {
            credential = .signature(flaw: signatures.flaw(of: authorization, in: head, body: body, at: now))
        } else {
            credential = head.headerFields[.authToken].map(Credential.token) ?? .none
        }
        return Caller(credential: credential, requestID: head.headerFields[.requestID])
    }
}

/// The path and the query of a request.
struct RequestTarget: Sendable {
    let path: Substring
    let query: Substring

    init(_ target: String) {
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        self.path = target[..<mark]
        self.query = target[mark...].dropFirst()
    }

    func value(of key: String) -> Substring? {
        for pair in query.split(separator: "&") where pair.hasPrefix(key + "=") {
            return pair.dropFirst(key.count + 1)
        }
        return nil
    }
}

extension HTTPField.Name {
    static let authToken = named("X-Auth-Token")
    static let requestID = named("X-Request-Id")
    static let subjectToken = named("X-Subject-Token")
    static let signingDate = named("X-Sdk-Date")

    private static func named(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) cannot name a header") }
        return name
    }
}
