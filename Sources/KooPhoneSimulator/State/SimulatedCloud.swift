import FoundationEssentials

/// The state of the simulated service and every decision that changes it.
///
/// A value without clock, lock or network: requests come in with their time of arrival and leave with a decision, and
/// whoever owns it keeps them apart.
struct SimulatedCloud: Sendable {
    let identifiers: IdentifierScheme
    private let seed: UInt64
    private let initialPlan: FaultPlan

    var tokens: TokenTable
    var faults: FaultEngine
    var tasks = TaskTable()
    var journal = Journal()
    var statistics = Statistics()
    var accessKeyLock = AccessKeyLock()
    private var throttle = ThrottleWindow()
    private var peak = PeakCounter()

    init(configuration: SimulatorConfiguration, startedAt: Date) {
        self.seed = configuration.seed
        self.initialPlan = configuration.faults
        self.identifiers = IdentifierScheme(seed: configuration.seed, startedAt: startedAt)
        self.tokens = TokenTable(valid: configuration.tokens, expired: configuration.expiredTokens)
        self.faults = FaultEngine(plan: configuration.faults, seed: configuration.seed)
    }

    /// Puts a plan in force from its beginning: nothing has fired and the generator is new.
    mutating func replaceFaults(by plan: FaultPlan) {
        faults = FaultEngine(plan: plan, seed: seed)
        throttle = ThrottleWindow()
    }

    /// Forgets what was counted and recorded; tasks and tokens stay.
    mutating func reset() {
        journal.removeAll()
        statistics = Statistics()
        peak = PeakCounter()
    }

    /// What the gateway and the header check say before anybody looks at the request.
    mutating func refusal(of caller: Caller, at now: Date) -> Refusal? {
        peak.record(at: now)
        statistics.peakRequestsWithinOneSecond = peak.peak
        if let refusal = authenticate(caller.credential, at: now) {
            statistics.unauthenticated += 1
            return refusal
        }
        if let limit = faults.plan.limit, !throttle.admit(at: now, limit: limit.perSecond) {
            return .throttled(limit)
        }
        return caller.requestID?.isEmpty ?? true ? .header : nil
    }

    private mutating func authenticate(_ credential: Credential, at now: Date) -> Refusal? {
        switch credential {
        case .none:
            return .unknownToken
        case .token(let token):
            switch tokens.standing(of: token, at: now) {
            case .valid: return nil
            case .expired: return .expiredToken
            case .unknown: return .unknownToken
            }
        case .signature(let flaw):
            return accessKeyLock.refusal(flaw: flaw, at: now)
        }
    }
}

/// Who sends a request, as far as its headers tell.
struct Caller: Sendable {
    let credential: Credential
    let requestID: String?
}

/// What a request offers to be let in with.
enum Credential: Sendable {
    case none
    case token(String)
    /// A signature by access key; the flaw is nil when it is right.
    case signature(flaw: String?)
}

/// What becomes of a request.
struct Decision<Accepted: Sendable>: Sendable {
    enum Outcome: Sendable {
        case accepted(Accepted)
        case refused(Refusal)
        /// Neither carried out nor answered.
        case ignored
    }

    var outcome: Outcome
    var fault: FaultRule?
    var delay: TimeInterval = 0

    /// The finished answer, with what happens to it on the way.
    func answer(_ render: (Accepted, FaultRule?) -> Answer) -> Answer {
        var answer =
            switch outcome {
            case .accepted(let accepted): render(accepted, fault)
            case .refused(let refusal): refusal.answer
            case .ignored: Answer()
            }
        fault?.distort(&answer)
        answer.delay = delay
        return answer
    }
}
