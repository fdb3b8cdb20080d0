import FoundationEssentials

/// How a job ends, settled when its task was submitted.
struct JobOutcome: Sendable, Equatable {
    /// The longest output that the API returns, in bytes.
    static let outputLimit = 1_024

    let duration: TimeInterval
    let failure: Behaviour.Failure?
    let output: String

    /// Settles a job by its instance's behaviour, else by its command's, else by the plan.
    init(instance: Behaviour?, command: Behaviour?, plan: FaultPlan) {
        let never = instance?.never ?? command?.never ?? false
        self.duration = never ? .infinity : instance?.duration ?? command?.duration ?? plan.duration
        self.failure = instance?.fail ?? command?.fail
        self.output = Self.shortened(instance?.output ?? command?.output ?? (failure == nil ? "ok" : ""))
    }

    func isFinished(submittedAt: Date, now: Date) -> Bool {
        now.timeIntervalSince(submittedAt) >= duration
    }

    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > outputLimit else { return text }
        var size = 0
        return String(
            text.unicodeScalars.prefix {
                size += UTF8.width($0)
                return size <= outputLimit
            }
        )
    }
}
