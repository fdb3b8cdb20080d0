import FoundationEssentials

/// The tokens that open the API, and those that no longer do.
struct TokenTable: Sendable {
    enum Standing: Sendable {
        case valid, expired, unknown
    }

    private var valid: Set<String>
    private var retired: Set<String>
    private var issued: [String: Date] = [:]

    init(valid: [String], expired: [String]) {
        self.valid = Set(valid)
        self.retired = Set(expired)
    }

    func standing(of token: String, at now: Date) -> Standing {
        if valid.contains(token) { return .valid }
        if let end = issued[token] { return now < end ? .valid : .expired }
        return retired.contains(token) ? .expired : .unknown
    }

    mutating func issue(_ token: String, until end: Date) {
        issued[token] = end
    }

    /// Replaces the tokens that were not issued; those that are dropped count as expired from now on.
    mutating func replace(valid: [String], expired: [String]) {
        retired = retired.union(self.valid).union(expired).subtracting(valid)
        self.valid = Set(valid)
    }

    /// Ends the life of every issued token.
    mutating func revokeIssued() {
        retired.formUnion(issued.keys)
        issued.removeAll()
    }
}
