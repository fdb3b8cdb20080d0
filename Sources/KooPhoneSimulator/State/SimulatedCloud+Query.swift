import FoundationEssentials

extension SimulatedCloud {
    /// Decides on a query for the state of a task.
    mutating func query(_ task: Substring, from caller: Caller, at now: Date) -> Decision<TaskTable.Entry> {
        statistics.queriesReceived += 1
        if let refusal = refusal(of: caller, at: now) {
            statistics.queriesThrottled += refusal.status == 429 ? 1 : 0
            return Decision(outcome: .refused(refusal))
        }
        let effect = faults.effect(on: .query)
        var decision = Decision<TaskTable.Entry>(outcome: .ignored, fault: effect.rule, delay: effect.delay)
        if let rule = effect.rule, !rule.acts {
            if rule.kind == .status || rule.kind == .error {
                decision.outcome = .refused(rule.refusal)
            }
        } else if let entry = entry(named: task) {
            decision.outcome = .accepted(entry)
        } else {
            decision.outcome = .refused(.unknownTask)
        }
        return decision
    }

    /// The task of an id; `nil` for one that was not handed out, which is refused as the API refuses it.
    private func entry(named name: Substring) -> TaskTable.Entry? {
        guard let identifier = Identifier(name.utf8), let number = identifiers.taskNumber(of: identifier) else {
            return nil
        }
        return tasks.entry(number)
    }
}
