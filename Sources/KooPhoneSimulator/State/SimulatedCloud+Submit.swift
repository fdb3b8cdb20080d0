import FoundationEssentials

extension SimulatedCloud {
    /// Decides on a submission and carries it out at once, whatever happens to its answer later.
    mutating func submit(_ body: SubmitBody, isJSON: Bool, from caller: Caller, at now: Date) -> Decision<Receipt> {
        statistics.submissionsReceived += 1
        let decision = decide(body, isJSON: isJSON, from: caller, at: now)
        count(decision, of: body.text)
        record(decision, of: body.text, at: now)
        return decision
    }

    private mutating func decide(
        _ body: SubmitBody,
        isJSON: Bool,
        from caller: Caller,
        at now: Date
    ) -> Decision<Receipt> {
        if let refusal = refusal(of: caller, at: now) {
            return Decision(outcome: .refused(refusal))
        }
        guard isJSON else {
            return Decision(outcome: .refused(.parameter("Content-Type must be application/json")))
        }
        if let violation = body.violation {
            return Decision(outcome: .refused(.parameter(violation)))
        }
        let effect = faults.effect(on: .submit)
        var decision = Decision<Receipt>(outcome: .ignored, fault: effect.rule, delay: effect.delay)
        if let rule = effect.rule, !rule.acts {
            if rule.kind == .status || rule.kind == .error {
                decision.outcome = .refused(rule.refusal)
            }
        } else if let refusal = faults.refusal(of: body.text) {
            decision.outcome = .refused(refusal)
        } else {
            let receipt = tasks.add(
                jobCount: Int(body.text.instanceCount),
                at: now,
                outcomes: faults.outcomes(of: body.text)
            )
            decision.outcome = .accepted(receipt)
        }
        return decision
    }

    private mutating func count(_ decision: Decision<Receipt>, of text: SubmittedText) {
        let instances = Int(text.instanceCount)
        statistics.maxInstancesInOneRequest = max(statistics.maxInstancesInOneRequest, instances)
        switch decision.outcome {
        case .accepted:
            statistics.submissionsExecuted += 1
            statistics.instancesExecuted += instances
        case .refused(let refusal) where refusal.status == 429:
            statistics.submissionsThrottled += 1
        case .refused(.unknownToken) where decision.fault == nil, .refused(.expiredToken) where decision.fault == nil:
            break
        case .refused:
            statistics.submissionsRefused += 1
        case .ignored:
            statistics.submissionsIgnored += 1
        }
    }

    private mutating func record(_ decision: Decision<Receipt>, of text: SubmittedText, at now: Date) {
        var receipt: Receipt?
        var status = 200
        var code: String? = "0"
        switch decision.outcome {
        case .accepted(let accepted):
            receipt = accepted
        case .refused(let refusal):
            status = refusal.status
            code = refusal.code
        case .ignored:
            code = nil
        }
        switch decision.fault?.kind {
        case .statusAfter:
            status = decision.fault?.refusal.status ?? status
            code = decision.fault?.refusal.code
        case .hang, .dropBefore, .dropAfter, .truncated, .malformed, .empty, .crossed, .contradicted, .encoded:
            code = nil
        default:
            break
        }
        journal.append(
            Journal.Entry(
                at: now,
                text: text,
                receipt: receipt,
                status: UInt16(clamping: status),
                fault: decision.fault?.kind,
                errorCode: code
            )
        )
    }
}
