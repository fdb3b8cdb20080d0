/// What the hostile server does about one request, and what that means.
struct AnswerScript {
    /// What is done in turn.
    enum Step {
        case send([UInt8])
        case pause(milliseconds: Int)
        /// The connection is closed in order.
        case close
        /// The connection is reset, what was not sent yet included.
        case reset
    }

    /// A job that the answer names: what it says, letter by letter.
    struct Mapping: Hashable {
        let task: String
        let instance: String
        let job: String
    }

    var steps: [Step]
    /// The kinds of mutation in it; none in the answer of a well-behaved server.
    var kinds: [String] = []
    /// Whether a client may conclude from it that the request was not acted on.
    var allowsRepetition = false
    /// What the answer says in so many words, without what it says twice and differently.
    var mappings: [Mapping] = []
    /// Whether the steps are to be exchanged with those for another request.
    var isCrossed = false

    /// The first bytes that are sent, for a report.
    var excerpt: String {
        let sent = steps.flatMap { step -> [UInt8] in
            switch step {
            case .send(let bytes): bytes
            case .pause(let milliseconds): Array("⟨\(milliseconds) ms⟩".utf8)
            case .close: Array("⟨close⟩".utf8)
            case .reset: Array("⟨reset⟩".utf8)
            }
        }
        return String(decoding: sent.prefix(3_000), as: UTF8.self).debugDescription
    }
}
