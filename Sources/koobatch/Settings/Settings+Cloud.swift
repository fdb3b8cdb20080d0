import Foundation
import KoobatchCloud

extension Settings {
    /// How the program gets to the API.
    struct CloudAccess {
        let cloud: KooPhoneClient.Configuration?
        let secretFile: String?
    }

    private enum Method: String, CaseIterable {
        case token
        case password
        case aksk
    }

    /// Where the API is and what proves to it who asks; `nil` after problems, which are noted.
    static func cloud(
        _ reader: inout SettingsReader,
        _ environment: [String: String],
        timeout: Duration,
        connections: Int
    ) -> CloudAccess {
        let endpoint = reader.text(.endpoint, required: true)
        let (credentials, secretFile) = credentials(&reader, environment)
        let network = network(&reader, environment)
        guard let endpoint else { return CloudAccess(cloud: nil, secretFile: secretFile) }
        let cloud = checked(&reader, key: .endpoint) { () throws(EndpointError) in
            try KooPhoneClient.Configuration(
                endpoint: endpoint,
                credentials: credentials ?? .tokenFile(path: ""),
                timeout: timeout,
                connections: connections,
                userAgent: "koobatch/\(Version.current)",
                network: network
            )
        }
        return CloudAccess(cloud: cloud, secretFile: secretFile)
    }

    private static func credentials(
        _ reader: inout SettingsReader,
        _ environment: [String: String]
    ) -> (Credentials?, secretFile: String?) {
        switch reader.choice(.authMethod, of: Method.self) {
        case .token:
            let file = secretFile(&reader, environment, .tokenFile, credential: "token")
            return (file.map(Credentials.tokenFile), file)
        case .password:
            let file = secretFile(&reader, environment, .passwordFile, credential: "password")
            return (passwordLogin(&reader, file: file).map(Credentials.password), file)
        case .aksk:
            let file = secretFile(&reader, environment, .secretKeyFile, credential: "secret_key")
            return (accessKey(&reader, file: file).map(Credentials.accessKey), file)
        case nil:
            return (nil, nil)
        }
    }

    private static func passwordLogin(_ reader: inout SettingsReader, file: String?) -> PasswordLogin? {
        let endpoint = reader.text(.iamEndpoint, required: true)
        let user = reader.text(.user, required: true)
        let domain = reader.text(.domain, required: true)
        let project = reader.text(.project, required: true)
        guard let endpoint, let user, let domain, let project, let file else { return nil }
        return checked(&reader, key: .iamEndpoint) { () throws(EndpointError) in
            try PasswordLogin(endpoint: endpoint, user: user, domain: domain, project: project, passwordFile: file)
        }
    }

    private static func accessKey(_ reader: inout SettingsReader, file: String?) -> AccessKey? {
        let id = reader.text(.accessKey, required: true)
        let project = reader.text(.projectID)
        guard let id, let file else { return nil }
        return AccessKey(id: id, secretKeyFile: file, projectID: project)
    }

    /// The configured file, else the credential of that name that systemd passes (https://systemd.io/CREDENTIALS/),
    /// else the file that the unit passes on, for a program that systemd did not start.
    ///
    /// That file is beside the configuration and belongs to it alone: the secret of one tenant is never tried at the
    /// endpoint of another.
    static func secretFile(
        _ reader: inout SettingsReader,
        _ environment: [String: String],
        _ key: SettingsKey,
        credential: String
    ) -> String? {
        if let configured = reader.text(key) { return configured }
        let usual = usualSecretFile(credential, besideConfiguration: reader.path)
        if let directory = environment["CREDENTIALS_DIRECTORY"] {
            let file = "\(directory)/\(credential)"
            if hasContents(file) { return file }
        } else if FileManager.default.fileExists(atPath: usual) {
            return usual
        }
        reader.problem(
            key,
            "required: the path of a file with it; or write it to \(usual), which the unit passes on when it starts"
        )
        return nil
    }

    /// `token` beside `koobatch.yaml`, `eu.token` beside `eu.yaml`: what `koobatch.service` and `koobatch@.service` load.
    static func usualSecretFile(_ credential: String, besideConfiguration path: String) -> String {
        let configuration = URL(filePath: path)
        let name = configuration.deletingPathExtension().lastPathComponent
        return configuration.deletingLastPathComponent()
            .appending(path: name == "koobatch" ? credential : "\(name).\(credential)").path
    }

    /// Whether there is more than white space in a file: the units pass a blank credential where its file is missing.
    private static func hasContents(_ file: String) -> Bool {
        let contents = FileManager.default.contents(atPath: file) ?? Data()
        return !contents.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }

    private static func checked<Value>(
        _ reader: inout SettingsReader,
        key: SettingsKey,
        _ body: () throws(EndpointError) -> Value
    ) -> Value? {
        do {
            return try body()
        } catch {
            reader.problem(key, "\(error)")
            return nil
        }
    }
}
