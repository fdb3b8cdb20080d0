/// Draws the faults of a plan and remembers which have happened.
struct FaultEngine: Sendable {
    /// What the rules do to one request.
    struct Effect: Sendable {
        var delay = 0.0
        var rule: FaultRule?
    }

    let plan: FaultPlan

    private var generator: SplitMix64
    private var seen: [Int]
    private var fired: [Int]
    private let instances: PatternTable
    private let commands: PatternTable
    private var instanceRefusals: [String: Int] = [:]
    private var commandRefusals: [String: Int] = [:]
    private let ordinary: [JobOutcome]

    init(plan: FaultPlan, seed: UInt64) {
        self.plan = plan
        self.generator = SplitMix64(seed: plan.seed ?? seed)
        self.seen = Array(repeating: 0, count: plan.rules.count)
        self.fired = seen
        self.instances = PatternTable(plan.instances)
        self.commands = PatternTable(plan.commands)
        self.ordinary = [JobOutcome(instance: nil, command: nil, plan: plan)]
    }

    /// Looks at the rules in order, up to the first that fires and is not a mere delay.
    mutating func effect(on endpoint: FaultRule.Endpoint) -> Effect {
        var effect = Effect()
        for (index, rule) in plan.rules.enumerated() where rule.on == endpoint || rule.on == .any {
            seen[index] += 1
            guard seen[index] > rule.skip, fired[index] < rule.times ?? .max else { continue }
            guard rule.probability >= 1 || Double.random(in: 0..<1, using: &generator) < rule.probability else {
                continue
            }
            fired[index] += 1
            guard rule.kind == .delay else {
                effect.rule = rule
                return effect
            }
            effect.delay += rule.seconds ?? 0
        }
        return effect
    }

    /// The refusal that the command or the first of its instances with such a behaviour asks for.
    mutating func refusal(of request: SubmittedText) -> Refusal? {
        if !commands.isEmpty, let match = commands.match(request.command ?? ""),
            let refusal = Self.refusal(match, counted: &commandRefusals)
        {
            return refusal
        }
        guard !instances.isEmpty else { return nil }
        for instance in request.instanceIDs {
            if let match = instances.match(instance), let refusal = Self.refusal(match, counted: &instanceRefusals) {
                return refusal
            }
        }
        return nil
    }

    private static func refusal(_ match: PatternTable.Match, counted: inout [String: Int]) -> Refusal? {
        guard let refuse = match.behaviour.refuse else { return nil }
        let count = counted[match.pattern, default: 0]
        guard count < refuse.times ?? match.behaviour.times ?? .max else { return nil }
        counted[match.pattern] = count + 1
        return Refusal(status: refuse.status ?? 200, code: refuse.errorCode, message: refuse.errorMessage)
    }

    /// One outcome for all jobs of the request, or as many as it has instances.
    func outcomes(of request: SubmittedText) -> [JobOutcome] {
        let command = commands.isEmpty ? nil : commands.match(request.command ?? "")?.behaviour
        guard !instances.isEmpty else {
            return command == nil ? ordinary : [JobOutcome(instance: nil, command: command, plan: plan)]
        }
        let behaviours = request.instanceIDs.map { instances.match($0)?.behaviour }
        guard behaviours.contains(where: { $0 != nil }) else {
            return command == nil ? ordinary : [JobOutcome(instance: nil, command: command, plan: plan)]
        }
        return behaviours.map { JobOutcome(instance: $0, command: command, plan: plan) }
    }
}
