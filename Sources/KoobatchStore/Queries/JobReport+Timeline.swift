public import KoobatchCore

extension JobReport {
    /// A job's time in equal steps: at most 200 of them.
    public struct Timeline: Hashable, Sendable {
        /// The most steps.
        public static let mostSteps = 200

        /// What happened in one step.
        public struct Step: Hashable, Sendable {
            /// Instances whose request was accepted.
            public var submitted = 0
            /// Instances that ended, by state.
            public var ended: [InstanceState: Int] = [:]
            /// Requests that began, by what came of them.
            public var requests: [RequestOutcome: Int] = [:]

            /// Creates a step in which nothing happened.
            public init() {}
        }

        /// The beginning of the first step.
        public let start: Timestamp
        /// The length of a step in milliseconds.
        public let stepMilliseconds: Int64
        /// In order of time, without gaps.
        public var steps: [Step]

        /// Divides a time into steps of a length that people read easily.
        public init(from start: Timestamp, to end: Timestamp) {
            let span = max(1, end.millisecondsSinceEpoch - start.millisecondsSinceEpoch)
            let day: Int64 = 86_400_000
            let lengths: [Int64] = [
                10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
                600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, day,
            ]
            let most = Int64(Self.mostSteps)
            let wholeDays = (span / day / most + 1) * day
            stepMilliseconds = lengths.first { span / $0 < most } ?? wholeDays
            self.start = start
            steps = Array(repeating: Step(), count: Int(span / stepMilliseconds) + 1)
        }

        /// The end of the last step.
        public var end: Timestamp { start + .milliseconds(stepMilliseconds * Int64(steps.count)) }

        /// Changes the step of an index; what lies before the first or after the last counts there.
        public mutating func change(_ index: Int, _ body: (inout Step) -> Void) {
            body(&steps[min(max(index, 0), steps.count - 1)])
        }
    }

    /// Results that took equally long.
    public struct DurationCount: Hashable, Sendable {
        /// From the submission to the result as it was asked for.
        public let seconds: Double
        /// How many.
        public let instances: Int

        /// Creates a count.
        public init(seconds: Double, instances: Int) {
            self.seconds = seconds
            self.instances = instances
        }
    }
}
