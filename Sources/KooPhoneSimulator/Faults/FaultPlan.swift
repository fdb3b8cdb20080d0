/// What the simulator does wrong, and how slowly it works.
///
/// ```json
/// {"seed": 7, "duration": 0.2, "limit": {"per_second": 20, "retry_after": true},
///  "rules": [{"on": "submit", "kind": "drop_after", "times": 1}],
///  "instances": {"frozen*": {"refuse": {"error_code": "KOOPHONE.API.2004", "error_msg": "instance is frozen"}}},
///  "commands": {"ls*": {"output": "acct"}}}
/// ```
public struct FaultPlan: Codable, Sendable, Equatable {
    /// Seed of the draws that `probability` makes; the simulator's own when absent.
    public var seed: UInt64?

    /// Seconds from the submission until a job ends.
    public var duration: Double

    /// Throttling, shared by submissions and queries.
    public var limit: Limit?

    /// Faults of whole requests; the first that fires decides.
    public var rules: [FaultRule]

    /// Behaviours by instance id, or by the start of one followed by `*`.
    public var instances: [String: Behaviour]

    /// Behaviours by command, or by the start of one followed by `*`.
    public var commands: [String: Behaviour]

    /// Creates a plan; without arguments the simulator works as documented and without delay.
    public init(
        seed: UInt64? = nil,
        duration: Double = 0,
        limit: Limit? = nil,
        rules: [FaultRule] = [],
        instances: [String: Behaviour] = [:],
        commands: [String: Behaviour] = [:]
    ) {
        self.seed = seed
        self.duration = duration
        self.limit = limit
        self.rules = rules
        self.instances = instances
        self.commands = commands
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case seed, duration, limit, rules, instances, commands
    }

    /// Reads a plan and refuses keys that it does not know.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            seed: try container.decodeIfPresent(UInt64.self, forKey: .seed),
            duration: try container.decodeNumber(.duration, in: 0...Double.greatestFiniteMagnitude) ?? 0,
            limit: try container.decodeIfPresent(Limit.self, forKey: .limit),
            rules: try container.decodeIfPresent([FaultRule].self, forKey: .rules) ?? [],
            instances: try container.decodeIfPresent([String: Behaviour].self, forKey: .instances) ?? [:],
            commands: try container.decodeIfPresent([String: Behaviour].self, forKey: .commands) ?? [:]
        )
    }
}

extension FaultPlan {
    /// A gateway policy of so many requests a second.
    public struct Limit: Codable, Sendable, Equatable {
        /// Requests that one window of one second lets through.
        public var perSecond: Int

        /// Whether a throttled answer says `Retry-After: 1`.
        public var retryAfter: Bool

        /// Whether the message of a throttled answer names the limit.
        public var named: Bool

        /// Creates a limit.
        public init(perSecond: Int, retryAfter: Bool = false, named: Bool = true) {
            self.perSecond = perSecond
            self.retryAfter = retryAfter
            self.named = named
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case perSecond = "per_second"
            case retryAfter = "retry_after"
            case named
        }

        /// Reads a limit and refuses keys that it does not know.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
            guard let perSecond = try container.decodeNumber(.perSecond, in: 0...Int.max) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .perSecond,
                    in: container,
                    debugDescription: "per_second is required"
                )
            }
            self.init(
                perSecond: perSecond,
                retryAfter: try container.decodeIfPresent(Bool.self, forKey: .retryAfter) ?? false,
                named: try container.decodeIfPresent(Bool.self, forKey: .named) ?? true
            )
        }
    }
}
