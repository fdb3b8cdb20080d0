/// How a simulator is set up.
public struct SimulatorConfiguration: Sendable {
    /// The loopback address or name to listen on.
    public var host: String = "127.0.0.1"
    /// The port to listen on; 0 takes a free one.
    public var port: Int = 0
    /// Seed of everything that is drawn.
    public var seed: UInt64 = .random(in: 0...999_999_999)
    /// Tokens that are valid until they are replaced.
    public var tokens: [String] = []
    /// Tokens that have expired.
    public var expiredTokens: [String] = []
    /// The most instances that a request may name.
    public var maxInstances: Int = 32
    /// Who may ask for tokens.
    public var identity = Identity()
    /// Seconds that an issued token lives.
    public var tokenLifetime: Double = 86_400
    /// The access key that may sign requests.
    public var accessKey: AccessKey?
    /// The faults to begin with.
    public var faults = FaultPlan()

    /// Creates a configuration of defaults, with a seed of its own.
    public init() {}

    /// The names and the password of an IAM user.
    public struct Identity: Sendable, Equatable {
        /// Name of the user.
        public var user: String
        /// Password of the user.
        public var password: String
        /// Name of the user's domain.
        public var domain: String
        /// Name of the project that tokens are for.
        public var project: String

        /// Creates an identity.
        public init(
            user: String = "sim-user",
            password: String = "sim-password",
            domain: String = "sim-domain",
            project: String = "sim-project"
        ) {
            self.user = user
            self.password = password
            self.domain = domain
            self.project = project
        }
    }

    /// A key pair for signatures.
    public struct AccessKey: Sendable, Equatable {
        /// The public half, AK.
        public var id: String
        /// The secret half, SK.
        public var secret: String

        /// Creates a key pair.
        public init(id: String, secret: String) {
            self.id = id
            self.secret = secret
        }
    }

    /// Whether a host is this machine and nothing else.
    public static func isLoopback(_ host: String) -> Bool {
        if ["localhost", "::1"].contains(host) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
