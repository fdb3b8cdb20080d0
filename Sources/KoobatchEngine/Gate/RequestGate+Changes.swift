import KoobatchCore
import KoobatchStore
import Logging

extension RequestGate {
    /// Says what an answer has changed, in the log and in the database.
    func write(_ failure: ServiceFailure?, from before: State, to after: State, at now: Timestamp) async {
        let isNewPhase = before.circuit.phase != after.circuit.phase
        if isNewPhase { log(after.circuit, failure, wasUnproven: before.circuit.reason == .unproven) }
        let isNewRate = failure?.outcome == .throttled && before.rate.perSecond != after.rate.perSecond
        if isNewRate {
            logger.notice("Rate limit learned", metadata: [LogKeys.rate: "\(after.rate.perSecond ?? 0)"])
        }
        let isNewShortage = (before.shortage.until == nil) != (after.shortage.until == nil)
        if isNewShortage { log(after.shortage, failure) }
        guard isNewPhase || isNewRate || isNewShortage || before.circuit.hasPassed != after.circuit.hasPassed else {
            return
        }
        do {
            try await store.circuitChanged(
                to: after.circuit,
                requestsPerSecond: after.rate.learned,
                failure: failure,
                at: now
            )
        } catch {
            logger.warning("The state of the circuit is not recorded", metadata: [LogKeys.message: "\(error)"])
        }
    }

    private func log(_ shortage: ShortagePause, _ failure: ServiceFailure?) {
        guard let until = shortage.until else {
            return logger.notice("Connections can be made again: requests flow again")
        }
        logger.error(
            "This process can make no connection: requests wait and try again every few seconds",
            metadata: [LogKeys.until: "\(until)", LogKeys.message: "\(failure?.message ?? "")"]
        )
    }

    private func log(_ circuit: CircuitBreaker, _ failure: ServiceFailure?, wasUnproven: Bool) {
        switch circuit.phase {
        case .closed where wasUnproven, .open(_, .unproven):
            break
        case .closed:
            logger.notice("Circuit closed: requests flow again")
        case .open(let until, let reason):
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
        case .halfOpen:
            break
        }
    }
}
