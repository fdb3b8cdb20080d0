/// Finds the behaviour of a text: the one of exactly this text, else the one of its longest known start.
struct PatternTable: Sendable {
    /// A behaviour and the pattern that stands for it in the plan.
    struct Match: Sendable {
        let pattern: String
        let behaviour: Behaviour
    }

    private var exact: [String: Match] = [:]
    private var starts: [(text: String, match: Match)] = []

    init(_ patterns: [String: Behaviour]) {
        for (pattern, behaviour) in patterns {
            let match = Match(pattern: pattern, behaviour: behaviour)
            if pattern.hasSuffix("*") {
                starts.append((String(pattern.dropLast()), match))
            } else {
                exact[pattern] = match
            }
        }
        starts.sort { ($0.text.utf8.count, $1.text) > ($1.text.utf8.count, $0.text) }
    }

    var isEmpty: Bool {
        exact.isEmpty && starts.isEmpty
    }

    func match(_ text: String) -> Match? {
        exact[text] ?? starts.first { text.hasPrefix($0.text) }?.match
    }
}
