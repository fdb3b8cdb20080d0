/// One fault of whole requests, and when it fires.
public struct FaultRule: Codable, Sendable, Equatable {
    /// The requests that a rule looks at.
    public enum Endpoint: String, Codable, Sendable {
        /// `POST /v1/instances/async-command`.
        case submit
        /// `GET /v1/instances/tasks/{task_id}`.
        case query
        /// `POST /v3/auth/tokens`.
        case token
        /// All three.
        case any
    }

    /// What goes wrong.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Answers `status` with `error_code` and `error_msg`, or `body`, and does not act.
        case status
        /// Answers 200 with `error_code` and `error_msg` and does not act.
        case error
        /// Answers `seconds` later; further rules are looked at.
        case delay
        /// Never answers; `acted` says whether it acts.
        case hang
        /// Closes the connection without acting.
        case dropBefore = "drop_before"
        /// Acts, then closes the connection.
        case dropAfter = "drop_after"
        /// Acts, then answers as `status` does.
        case statusAfter = "status_after"
        /// Acts, then sends the head and half of the body and closes the connection.
        case truncated
        /// Acts, then answers 200 with a page of HTML.
        case malformed
        /// Acts, then answers 200 with an empty body.
        case empty
        /// Acts on all, then leaves `count` instances out of the answer.
        case missingMappings = "missing_mappings"
        /// Acts, then names an instance that was not asked for.
        case extraMappings = "extra_mappings"
        /// Acts, then names one instance twice.
        case duplicateMappings = "duplicate_mappings"
        /// Acts, then answers with a `task_id` of more than 32 characters.
        case longIDs = "long_ids"
        /// Acts, then answers with the number 0 for the string `"0"`.
        case numberCode = "number_code"
        /// Acts, then names other instances than those that were asked for.
        case crossed
        /// Acts, then answers with the whole mapping and `error_code`.
        case contradicted
        /// Acts, then answers with the `Content-Encoding` that `encoding` names; gzip and deflate are done, of others only the
        /// header is there.
        case encoded
    }

    /// The requests that the rule looks at.
    public var on: Endpoint
    /// What goes wrong.
    public var kind: Kind
    /// How likely the rule fires at a request that it looks at.
    public var probability: Double
    /// How often the rule fires at most; nil for always.
    public var times: Int?
    /// How many requests pass before the rule may fire.
    public var skip: Int
    /// Seconds of a `delay`.
    public var seconds: Double?
    /// HTTP status of `status` and `status_after`.
    public var status: Int?
    /// Error code of the answer; a fitting one when absent.
    public var errorCode: String?
    /// Error message of the answer.
    public var errorMessage: String?
    /// Value of a `Retry-After` header.
    public var retryAfter: String?
    /// A whole body in place of the JSON one.
    public var body: String?
    /// The content coding of `encoded`; gzip when absent.
    public var encoding: String?
    /// Whether a `hang` acts.
    public var acted: Bool?
    /// How many instances `missing_mappings` leaves out.
    public var count: Int?

    /// Creates a rule that fires always, unless its properties say otherwise.
    public init(_ kind: Kind, on endpoint: Endpoint = .submit, probability: Double = 1) {
        self.on = endpoint
        self.kind = kind
        self.probability = probability
        self.skip = 0
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case on, kind, probability, times, skip, seconds, status, body, encoding, acted, count
        case errorCode = "error_code"
        case errorMessage = "error_msg"
        case retryAfter = "retry_after"
    }

    /// Reads a rule and refuses keys that it does not know.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            try container.decode(Kind.self, forKey: .kind),
            on: try container.decodeIfPresent(Endpoint.self, forKey: .on) ?? .submit,
            probability: try container.decodeNumber(.probability, in: 0...1) ?? 1
        )
        times = try container.decodeNumber(.times, in: 0...Int.max)
        skip = try container.decodeNumber(.skip, in: 0...Int.max) ?? 0
        seconds = try container.decodeNumber(.seconds, in: 0...86_400)
        status = try container.decodeNumber(.status, in: 200...999)
        errorCode = try container.decodeIfPresent(String.self, forKey: .errorCode)
        errorMessage = try container.decodeIfPresent(String.self, forKey: .errorMessage)
        retryAfter = try container.decodeIfPresent(String.self, forKey: .retryAfter)
        body = try container.decodeIfPresent(String.self, forKey: .body)
        encoding = try container.decodeIfPresent(String.self, forKey: .encoding)
        acted = try container.decodeIfPresent(Bool.self, forKey: .acted)
        count = try container.decodeNumber(.count, in: 0...Int.max)
        if kind == .delay, seconds == nil {
            throw DecodingError.dataCorruptedError(
                forKey: .seconds,
                in: container,
                debugDescription: "a delay needs seconds"
            )
        }
    }
}
