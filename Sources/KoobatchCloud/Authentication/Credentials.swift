/// What proves to the API who asks; the secrets are in files, which are read when they are needed.
public enum Credentials: Sendable {
    /// A token that somebody else keeps fresh in a file.
    case tokenFile(path: String)
    /// A user of IAM, whose password buys tokens.
    case password(PasswordLogin)
    /// An access key, which signs each request.
    case accessKey(AccessKey)
}

/// A user of IAM and where IAM is.
public struct PasswordLogin: Sendable {
    let endpoint: Endpoint
    let user: String
    let domain: String
    let project: String
    let passwordFile: String

    /// Creates a login.
    ///
    /// - Parameters:
    ///   - endpoint: of IAM, the URL before `/v3/auth/tokens`: `https`, or `http` to a loopback address.
    ///   - user: name of the user.
    ///   - domain: name of the account that the user belongs to.
    ///   - project: name of the project that tokens are for, such as `cn-north-4`.
    ///   - passwordFile: path of the file with the password.
    /// - Throws: what is wrong with the endpoint.
    public init(
        endpoint: String,
        user: String,
        domain: String,
        project: String,
        passwordFile: String
    ) throws(EndpointError) {
        self.endpoint = try Endpoint(endpoint)
        self.user = user
        self.domain = domain
        self.project = project
        self.passwordFile = passwordFile
    }
}

/// An access key: its public half, AK, and where its secret half, SK, is.
public struct AccessKey: Sendable {
    let id: String
    let secretKeyFile: String
    let projectID: String?

    /// Creates an access key.
    ///
    /// - Parameters:
    ///   - id: the public half, AK.
    ///   - secretKeyFile: path of the file with the secret half, SK.
    ///   - projectID: sent as `X-Project-Id` if it is there.
    public init(id: String, secretKeyFile: String, projectID: String?) {
        self.id = id
        self.secretKeyFile = secretKeyFile
        self.projectID = projectID
    }
}
