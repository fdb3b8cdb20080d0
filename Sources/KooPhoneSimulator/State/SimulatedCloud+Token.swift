import FoundationEssentials

extension SimulatedCloud {
    /// Decides on a request for a token and issues it.
    mutating func issueToken(isAllowed: Bool, lifetime: TimeInterval, at now: Date) -> Decision<IssuedToken> {
        let effect = faults.effect(on: .token)
        var decision = Decision<IssuedToken>(outcome: .ignored, fault: effect.rule, delay: effect.delay)
        if let rule = effect.rule, !rule.acts {
            if rule.kind == .status || rule.kind == .error {
                decision.outcome = .refused(rule.refusal)
            }
        } else if isAllowed {
            let token = IssuedToken(from: now, to: now.addingTimeInterval(lifetime))
            tokens.issue(token.text, until: token.expiresAt)
            statistics.tokensIssued += 1
            decision.outcome = .accepted(token)
            return decision
        } else {
            decision.outcome = .refused(.wrongPassword)
        }
        statistics.tokensRefused += 1
        return decision
    }
}

/// A token as IAM issues them: a couple of KiB that mean nothing to the client.
struct IssuedToken: Sendable {
    private static let length = 2_048
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+".utf8)

    let text: String
    let issuedAt: Date
    let expiresAt: Date

    init(from start: Date, to end: Date) {
        var bytes = Array("MII".utf8)
        bytes.reserveCapacity(Self.length)
        while bytes.count < Self.length {
            bytes.append(Self.alphabet[Int.random(in: Self.alphabet.indices)])
        }
        self.text = String(decoding: bytes, as: UTF8.self)
        self.issuedAt = start
        self.expiresAt = end
    }
}

extension Refusal {
    static let wrongPassword = identity(401, "The username or password is wrong.", title: "Unauthorized")

    static let unreadableIdentity = identity(
        400,
        "The request body is not a password authentication.",
        title: "Bad Request"
    )

    private static func identity(_ status: Int, _ message: String, title: String) -> Refusal {
        Refusal(
            status: status,
            code: "IAM",
            message: message,
            body: #"{"error":{"code":\#(status),"message":"\#(message)","title":"\#(title)"}}"#
        )
    }
}
