import FoundationEssentials
import HTTPTypes
import NIOCore
import Synchronization

extension RequestHandler {
    /// `POST /v3/auth/tokens`.
    func issueToken(_ body: ByteBuffer) -> Answer {
        let request: TokenRequest
        do {
            request = try JSONDecoder().decode(TokenRequest.self, from: Data(body.readableBytesView))
        } catch {
            return Refusal.unreadableIdentity.answer
        }
        let isAllowed = request.isFor(configuration.identity)
        let lifetime = configuration.tokenLifetime
        let now = clock()
        let decision = cloud.withLock { $0.issueToken(isAllowed: isAllowed, lifetime: lifetime, at: now) }
        return decision.answer { token, _ in
            var answer = Answer(status: .created, body: Self.describe(token, configuration.identity))
            answer.fields[.subjectToken] = token.text
            return answer
        }
    }

    private static func describe(_ token: IssuedToken, _ identity: SimulatorConfiguration.Identity) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeString(#"{"token":{"expires_at":"\#(microseconds(token.expiresAt))","#)
        buffer.writeString(#""issued_at":"\#(microseconds(token.issuedAt))","methods":["password"],"user":{"name":""#)
        buffer.writeEscaped(identity.user)
        buffer.writeStaticString(#"","domain":{"name":""#)
        buffer.writeEscaped(identity.domain)
        buffer.writeStaticString(#""}},"project":{"name":""#)
        buffer.writeEscaped(identity.project)
        buffer.writeStaticString(#""}}}"#)
        return buffer
    }

    /// As IAM writes times: six digits after the point, of which the last three are zeros.
    private static func microseconds(_ date: Date) -> String {
        date.formatted(.milliseconds).dropLast() + "000Z"
    }
}

/// The documented request for a token by password.
private struct TokenRequest: Decodable {
    struct Auth: Decodable {
        let identity: Identity
        let scope: Scope?
    }
    struct Identity: Decodable {
        let methods: [String]
        let password: Password
    }
    struct Password: Decodable {
        let user: User
    }
    struct User: Decodable {
        let name: String
        let password: String
        let domain: Named
    }
    struct Scope: Decodable {
        let project: Named?
    }
    struct Named: Decodable {
        let name: String
    }

    let auth: Auth

    func isFor(_ identity: SimulatorConfiguration.Identity) -> Bool {
        let user = auth.identity.password.user
        return auth.identity.methods == ["password"]
            && user.name == identity.user
            && user.password == identity.password
            && user.domain.name == identity.domain
            && auth.scope?.project?.name == identity.project
    }
}
