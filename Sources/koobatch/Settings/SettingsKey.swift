/// A key of the configuration.
///
/// `all` is what the program knows: `etc/koobatch.yaml` and koobatch.yaml(5) list the same.
struct SettingsKey: Hashable, Sendable {
    /// What a change needs that is made while the daemon runs.
    enum Change: Hashable, Sendable {
        /// SIGHUP.
        case reload
        /// A restart.
        case restart
    }

    /// The path in the file, with dots.
    let name: String
    /// The value where none is set, in the form of the file; `nil` where there is none.
    let standard: String?
    let change: Change

    private init(_ name: String, _ standard: String? = nil, change: Change = .reload) {
        self.name = name
        self.standard = standard
        self.change = change
    }

    /// The environment variable that overrides the file.
    var variable: String {
        Self.variablePrefix + name.uppercased().split(separator: ".").joined(separator: "_")
    }

    /// What every such variable begins with.
    static let variablePrefix = "KOOBATCH_"

    static let database = Self("database", "/var/lib/koobatch/koobatch.db", change: .restart)

    static let endpoint = Self("koophone.endpoint")
    static let proxy = Self("koophone.proxy")
    static let proxyUser = Self("koophone.proxy_user")
    static let proxyPasswordFile = Self("koophone.proxy_password_file")
    static let caFile = Self("koophone.ca_file")
    static let authMethod = Self("koophone.auth.method", "token")
    static let tokenFile = Self("koophone.auth.token_file")
    static let iamEndpoint = Self("koophone.auth.iam_endpoint")
    static let user = Self("koophone.auth.user")
    static let domain = Self("koophone.auth.domain")
    static let project = Self("koophone.auth.project")
    static let passwordFile = Self("koophone.auth.password_file")
    static let accessKey = Self("koophone.auth.access_key")
    static let secretKeyFile = Self("koophone.auth.secret_key_file")
    static let projectID = Self("koophone.auth.project_id")

    static let chunkSize = Self("submit.chunk_size", "32")
    static let maxInFlight = Self("submit.max_in_flight", "32")
    static let requestsPerSecond = Self("submit.requests_per_second")
    static let submitTimeout = Self("submit.timeout", "30")

    static let baseDelay = Self("retry.base_delay", "1")
    static let maxDelay = Self("retry.max_delay", "300")

    static let pollEnabled = Self("poll.enabled", "true", change: .restart)
    static let pollInitialDelay = Self("poll.initial_delay", "1")
    static let pollMaxDelay = Self("poll.max_delay", "60")
    static let resultTimeout = Self("poll.result_timeout", "3600")

    static let finishedJobs = Self("retention.finished_jobs", "30d")

    static let shutdownGrace = Self("shutdown.grace", "25")

    static let metricsListen = Self("metrics.listen", change: .restart)
    static let metricsFile = Self("metrics.file", change: .restart)

    static let logLevel = Self("log.level", "info")
    static let logFormat = Self("log.format", "auto")

    /// Every key, in the order of the reference.
    static let all: [Self] = [
        .database,
        .endpoint, .proxy, .proxyUser, .proxyPasswordFile, .caFile, .authMethod, .tokenFile, .iamEndpoint, .user,
        .domain, .project, .passwordFile, .accessKey,
        .secretKeyFile, .projectID,
        .chunkSize, .maxInFlight, .requestsPerSecond, .submitTimeout,
        .baseDelay, .maxDelay,
        .pollEnabled, .pollInitialDelay, .pollMaxDelay, .resultTimeout,
        .finishedJobs,
        .shutdownGrace,
        .metricsListen, .metricsFile,
        .logLevel, .logFormat,
    ]

    /// The known name that a mistyped one is most like, if it is like any.
    static func closest(to name: String, among names: some Sequence<String>) -> String? {
        // The section was left out.
        if let whole = names.first(where: { $0.hasSuffix(".\(name)") }) { return whole }
        let limit = max(2, name.count / 3)
        let best = names.map { (name: $0, distance: distance(from: Array(name), to: Array($0))) }
            .min { $0.distance < $1.distance }
        return best.flatMap { $0.distance <= limit ? $0.name : nil }
    }

    /// The edits from one text to another: Levenshtein's distance.
    private static func distance(from: [Character], to: [Character]) -> Int {
        var row = Array(0...to.count)
        for (i, left) in from.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in to.enumerated() {
                let substitution = diagonal + (left == right ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[to.count]
    }
}
