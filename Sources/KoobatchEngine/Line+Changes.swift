import KoobatchCore
import KoobatchStore
import Logging

extension Line {
    /// Says what an answer has changed, in the log and in the database.
    func write(_ failure: ServiceFailure?, from before: State, to after: State, at now: Timestamp) async {
        let isNewPhase = before.line.phase != after.line.phase
        if isNewPhase { log(after.line, failure, wasUnproven: before.line.reason == .unproven) }
        let isNewRate = failure?.outcome == .throttled && before.rate.perSecond != after.rate.perSecond
        if isNewRate {
            logger.notice("The rate is learned", metadata: [LogKeys.rate: "\(after.rate.perSecond ?? 0)"])
        }
        guard isNewPhase || isNewRate || before.line.hasPassed != after.line.hasPassed else { return }
        do {
            try await store.lineChanged(
                to: after.line,
                requestsPerSecond: after.rate.learned,
                failure: failure,
                at: now
            )
        } catch {
            logger.warning("The state of the circuit is not recorded", metadata: [LogKeys.message: "\(error)"])
        }
    }

    private func log(_ line: LineState, _ failure: ServiceFailure?, wasUnproven: Bool) {
        switch line.phase {
        case .open where wasUnproven, .closed(_, .unproven):
            break
        case .open:
            logger.notice("Circuit closed: requests flow again")
        case .closed(let until, let reason):
            let level: Logger.Level = reason == .credentials || reason == .refusal ? .error : .warning
            logger.log(
                level: level,
                "Circuit open: requests paused",
                metadata: [
                    LogKeys.reason: "\(reason.rawValue)",
                    LogKeys.until: "\(until)",
                    LogKeys.code: "\(failure?.errorCode ?? "")",
                    LogKeys.message: "\(failure?.message ?? "")",
                ]
            )
        case .probing:
            break
        }
    }
}
