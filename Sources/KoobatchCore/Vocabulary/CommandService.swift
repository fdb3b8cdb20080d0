/// The KooPhone API, as koobatch needs it.
///
/// Two implementations run through one conformance suite: the HTTP client and the fault-injecting fake.
public protocol CommandService: Sendable {
    /// Asks for a command to be run on up to a chunk of instances.
    ///
    /// Not idempotent: the same request sent twice runs the command twice. On cancellation it throws promptly, with
    /// outcome `.unknown` unless nothing had been sent yet.
    ///
    /// - Throws: the failure, classified by whether the request may have been acted on.
    func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse

    /// Asks for the results of a task. Harmless to repeat.
    ///
    /// - Throws: the failure, classified like that of a submission.
    func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport

    /// Whether there are credentials that have not been tried, so that it is worth asking again after a refusal.
    ///
    /// Cheap, and never a request.
    var hasNewCredentials: Bool { get }

    /// What the API's clock said in the last answer that told; `nil` while there was none.
    var serverTime: ServerTime? { get }

    /// Gets the credentials anew before the next request: a policy says that the API refused them, with a code and a status
    /// that do not say so by themselves.
    func renewCredentials()
}

/// One request to run a command.
public struct SubmitRequest: Hashable, Sendable {
    /// Sent as `x-request-id`.
    public let requestID: RequestID
    /// The shell command, 1 to 1,024 bytes.
    public let command: String
    /// The instances, at least one.
    public let instances: InstanceIDs
    /// Whether it goes over a connection that no request has been sent on: one that the other side closes at that moment
    /// leaves it unknown whether the command runs, which is dear where nothing may be sent twice.
    public let needsFreshConnection: Bool

    /// Creates a request.
    public init(requestID: RequestID, command: String, instances: InstanceIDs, needsFreshConnection: Bool = false) {
        self.requestID = requestID
        self.command = command
        self.instances = instances
        self.needsFreshConnection = needsFreshConnection
    }
}

/// The API's acceptance of a request.
public struct SubmitResponse: Hashable, Sendable {
    /// The task, 1 to 32 characters.
    public let taskID: String
    /// A JSON array of the `job_id` of each instance in the order of the request, all of them different; `null` where the
    /// answer leaves the instance out.
    public let jobIDs: String
    /// The positions of the instances that the answer leaves out, ascending: whether the command runs on them is unknown.
    public let missing: [Int]

    /// Creates an answer; the caller has validated it.
    public init(taskID: String, jobIDs: String, missing: [Int] = []) {
        self.taskID = taskID
        self.jobIDs = jobIDs
        self.missing = missing
    }
}

/// What the API says of a task.
public struct TaskReport: Hashable, Sendable {
    /// One instance job that has ended.
    public struct Job: Hashable, Sendable {
        /// Its `job_id`.
        public let id: String
        /// Its end.
        public let result: InstanceResult

        /// Creates a job.
        public init(id: String, result: InstanceResult) {
            self.id = id
            self.result = result
        }
    }

    /// The jobs that have ended, each once, in the order of the answer: mostly that of the instances.
    ///
    /// A job that is not in it is still running or not reported.
    public let jobs: [Job]

    /// Creates a report of jobs with different ids.
    public init(jobs: [Job]) {
        self.jobs = jobs
    }

    /// Creates a report in the order of the ids.
    public init(results: [String: InstanceResult]) {
        jobs = results.sorted { $0.key < $1.key }.map { Job(id: $0.key, result: $0.value) }
    }

    /// The results by `job_id`, gathered at each call.
    public var results: [String: InstanceResult] {
        Dictionary(jobs.map { ($0.id, $0.result) }) { first, _ in first }
    }
}

/// The end of one instance job.
public struct InstanceResult: Hashable, Sendable {
    /// Whether the command ended well.
    public let succeeded: Bool
    /// The API's code for a failure, such as `CPS0005`.
    public let errorCode: String?
    /// The API's sentence for a failure.
    public let errorMessage: String?
    /// What the command printed; the API returns at most 1,024 bytes.
    public let output: String?

    /// Creates a result.
    public init(succeeded: Bool, errorCode: String? = nil, errorMessage: String? = nil, output: String? = nil) {
        self.succeeded = succeeded
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.output = output
    }
}
