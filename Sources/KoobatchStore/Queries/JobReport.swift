public import KoobatchCore

/// What there is to tell of one command job, in a size that does not grow with it.
public struct JobReport: Hashable, Sendable {
    /// The job itself.
    public let job: Facts
    /// How it went over time; `nil` while nothing has started.
    public let timeline: Timeline?
    /// How long results took from the submission on, ascending, to two significant digits.
    public let durations: [DurationCount]
    /// The commonest distinct results.
    public let outputs: [Output]
    /// How many distinct results there are.
    public let distinctOutputs: Int
    /// The first instances that failed, were rejected or whose fate is unknown.
    public let unsuccessful: [UnsuccessfulInstance]
    /// Requests by what came of them, commonest first.
    public let requests: [RequestGroup]
    /// Chunks that were sent more than once, and the requests beyond their first.
    public let repeats: Repeats
    /// When all this was true.
    public let readAt: Timestamp

    /// Creates a report.
    public init(
        job: Facts,
        timeline: Timeline?,
        durations: [DurationCount],
        outputs: [Output],
        distinctOutputs: Int,
        unsuccessful: [UnsuccessfulInstance],
        requests: [RequestGroup],
        repeats: Repeats,
        readAt: Timestamp
    ) {
        self.job = job
        self.timeline = timeline
        self.durations = durations
        self.outputs = outputs
        self.distinctOutputs = distinctOutputs
        self.unsuccessful = unsuccessful
        self.requests = requests
        self.repeats = repeats
        self.readAt = readAt
    }

    /// The columns of a job and its instances by state.
    public struct Facts: Hashable, Sendable {
        /// Its id.
        public var id: CommandJobID
        /// Free text for people.
        public var label: String?
        /// What is run.
        public var command: String
        /// Its state.
        public var state: CommandJobState
        /// Why it is in that state.
        public var stateReason: String?
        /// The insert.
        public var createdAt: Timestamp
        /// Not before.
        public var runAt: Timestamp
        /// The first planning.
        public var startedAt: Timestamp?
        /// The end.
        public var finishedAt: Timestamp?
        /// Instances by state; they add up to `total`.
        public var instances: [InstanceState: Int]
        /// All instances.
        public var total: Int

        /// Creates facts.
        public init(
            id: CommandJobID,
            label: String? = nil,
            command: String,
            state: CommandJobState,
            stateReason: String? = nil,
            createdAt: Timestamp,
            runAt: Timestamp,
            startedAt: Timestamp? = nil,
            finishedAt: Timestamp? = nil,
            instances: [InstanceState: Int],
            total: Int
        ) {
            self.id = id
            self.label = label
            self.command = command
            self.state = state
            self.stateReason = stateReason
            self.createdAt = createdAt
            self.runAt = runAt
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.instances = instances
            self.total = total
        }
    }

    /// A distinct result and how many instances had it.
    public struct Output: Hashable, Sendable {
        /// Their state.
        public let state: InstanceState
        /// The error, if it is one.
        public let errorCode: String?
        /// What the command printed.
        public let text: String?
        /// How many.
        public let instances: Int
        /// One of them.
        public let example: String

        /// Creates a result.
        public init(state: InstanceState, errorCode: String?, text: String?, instances: Int, example: String) {
            self.state = state
            self.errorCode = errorCode
            self.text = text
            self.instances = instances
            self.example = example
        }
    }

    /// An instance that did not succeed.
    public struct UnsuccessfulInstance: Hashable, Sendable {
        /// Its id.
        public let instance: String
        /// The chunk that it is in.
        public let chunk: ChunkID
        /// `failed`, `rejected` or `unknown`.
        public let state: InstanceState
        /// The error's code.
        public let errorCode: String?
        /// The error's sentence.
        public let message: String?
        /// When it ended.
        public let finishedAt: Timestamp?

        /// Creates an instance.
        public init(
            instance: String,
            chunk: ChunkID,
            state: InstanceState,
            errorCode: String?,
            message: String?,
            finishedAt: Timestamp?
        ) {
            self.instance = instance
            self.chunk = chunk
            self.state = state
            self.errorCode = errorCode
            self.message = message
            self.finishedAt = finishedAt
        }
    }
}
