import ArgumentParser
import KooPhoneSimulator

/// Who may use the API.
struct CredentialOptions: ParsableArguments {
    @Option(name: .customLong("token"), help: "A valid token; may be repeated.")
    var tokens: [String] = []

    @Option(name: .customLong("expired-token"), help: "A token that has expired; may be repeated.")
    var expiredTokens: [String] = []

    @Option(help: "Name of the user who may ask for tokens.")
    var iamUser = "sim-user"

    @Option(help: "Password of the user.")
    var iamPassword = "sim-password"

    @Option(help: "Domain of the user.")
    var iamDomain = "sim-domain"

    @Option(help: "Project that tokens are for.")
    var iamProject = "sim-project"

    @Option(help: "Seconds that an issued token lives.")
    var tokenLifetime = 86_400.0

    @Option(help: "Access key (AK) that may sign requests.")
    var accessKey: String?

    @Option(help: "Secret key (SK) of the access key.")
    var secretKey: String?

    func validate() throws {
        guard (accessKey == nil) == (secretKey == nil) else {
            throw ValidationError("--access-key and --secret-key go together")
        }
        guard tokenLifetime > 0 else { throw ValidationError("--token-lifetime must be more than 0") }
    }

    func apply(to configuration: inout SimulatorConfiguration) {
        configuration.tokens = tokens
        configuration.expiredTokens = expiredTokens
        configuration.identity = .init(user: iamUser, password: iamPassword, domain: iamDomain, project: iamProject)
        configuration.tokenLifetime = tokenLifetime
        if let accessKey, let secretKey {
            configuration.accessKey = .init(id: accessKey, secret: secretKey)
        }
    }
}
