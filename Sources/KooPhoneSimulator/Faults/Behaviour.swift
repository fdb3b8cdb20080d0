/// How the simulator treats an instance or a command.
public struct Behaviour: Codable, Sendable, Equatable {
    /// Refuses every request that contains the instance or command, as a whole.
    public var refuse: Refuse?
    /// Makes the job end with -1.
    public var fail: Failure?
    /// Output of the command, in place of `ok`.
    public var output: String?
    /// Seconds until the job ends, in place of the plan's.
    public var duration: Double?
    /// Lets the job run for ever.
    public var never: Bool?
    /// The refusals after which the behaviour stops refusing; `times` inside of `refuse` says the same.
    public var times: Int?

    /// Creates a behaviour.
    public init(
        refuse: Refuse? = nil,
        fail: Failure? = nil,
        output: String? = nil,
        duration: Double? = nil,
        never: Bool? = nil
    ) {
        self.refuse = refuse
        self.fail = fail
        self.output = output
        self.duration = duration
        self.never = never
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case refuse, fail, output, duration, never, times
    }

    /// Reads a behaviour and refuses keys that it does not know.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            refuse: try container.decodeIfPresent(Refuse.self, forKey: .refuse),
            fail: try container.decodeIfPresent(Failure.self, forKey: .fail),
            output: try container.decodeIfPresent(String.self, forKey: .output),
            duration: try container.decodeNumber(.duration, in: 0...Double.greatestFiniteMagnitude),
            never: try container.decodeIfPresent(Bool.self, forKey: .never)
        )
        times = try container.decodeNumber(.times, in: 0...Int.max)
    }
}

extension Behaviour {
    /// A refusal of the whole request.
    public struct Refuse: Codable, Sendable, Equatable {
        /// HTTP status of the answer; 200 when absent.
        public var status: Int?
        /// Error code of the answer.
        public var errorCode: String
        /// Error message of the answer.
        public var errorMessage: String
        /// Number of requests that are refused; nil for all.
        public var times: Int?

        /// Creates a refusal.
        public init(status: Int? = nil, errorCode: String, errorMessage: String, times: Int? = nil) {
            self.status = status
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.times = times
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case status, times
            case errorCode = "error_code"
            case errorMessage = "error_msg"
        }

        /// Reads a refusal and refuses keys that it does not know.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
            self.init(
                status: try container.decodeNumber(.status, in: 200...599),
                errorCode: try container.decode(String.self, forKey: .errorCode),
                errorMessage: try container.decodeIfPresent(String.self, forKey: .errorMessage) ?? "refused",
                times: try container.decodeNumber(.times, in: 0...Int.max)
            )
        }
    }

    /// How a failed job explains itself.
    public struct Failure: Codable, Sendable, Equatable {
        /// Error code of the job.
        public var errorCode: String
        /// Error message of the job.
        public var errorMessage: String

        /// Creates a failure.
        public init(errorCode: String, errorMessage: String) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case errorCode = "error_code"
            case errorMessage = "error_msg"
        }

        /// Reads a failure and refuses keys that it does not know.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
            self.init(
                errorCode: try container.decode(String.self, forKey: .errorCode),
                errorMessage: try container.decodeIfPresent(String.self, forKey: .errorMessage) ?? "failed"
            )
        }
    }
}
