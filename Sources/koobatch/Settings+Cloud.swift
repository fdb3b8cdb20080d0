import Foundation
import KoobatchCloud

extension Settings {
    /// Where the API is and what proves to it who asks; `nil` after problems, which are noted.
    static func cloud(
        _ reader: inout SettingsReader,
        timeout: Duration,
        connections: Int
    ) -> KooPhoneClient.Configuration? {
        let endpoint = reader.text("koophone.endpoint", required: true)
        let credentials = credentials(&reader)
        guard let endpoint else { return nil }
        return checked(&reader, key: "koophone.endpoint") { () throws(EndpointError) in
            try KooPhoneClient.Configuration(
                endpoint: endpoint,
                credentials: credentials ?? .tokenFile(path: ""),
                timeout: timeout,
                connections: connections,
                userAgent: "koobatch/\(Version.current)"
            )
        }
    }

    private static func credentials(_ reader: inout SettingsReader) -> Credentials? {
        let method = reader.choice("koophone.auth.method", of: ["token", "password", "aksk"], default: "token")
        switch method {
        case "password": return passwordLogin(&reader).map(Credentials.password)
        case "aksk": return accessKey(&reader).map(Credentials.accessKey)
        default: return secretFile(&reader, "token_file", credential: "token").map(Credentials.tokenFile)
        }
    }

    private static func passwordLogin(_ reader: inout SettingsReader) -> PasswordLogin? {
        let endpoint = reader.text("koophone.auth.iam_endpoint", required: true)
        let user = reader.text("koophone.auth.user", required: true)
        let domain = reader.text("koophone.auth.domain", required: true)
        let project = reader.text("koophone.auth.project", required: true)
        let file = secretFile(&reader, "password_file", credential: "password")
        guard let endpoint, let user, let domain, let project, let file else { return nil }
        return checked(&reader, key: "koophone.auth.iam_endpoint") { () throws(EndpointError) in
            try PasswordLogin(endpoint: endpoint, user: user, domain: domain, project: project, passwordFile: file)
        }
    }

    private static func accessKey(_ reader: inout SettingsReader) -> AccessKey? {
        let id = reader.text("koophone.auth.access_key", required: true)
        let file = secretFile(&reader, "secret_key_file", credential: "secret_key")
        let project = reader.text("koophone.auth.project_id")
        guard let id, let file else { return nil }
        return AccessKey(id: id, secretKeyFile: file, projectID: project)
    }

    /// The configured file, else the credential of that name that systemd passes (https://systemd.io/CREDENTIALS/).
    private static func secretFile(
        _ reader: inout SettingsReader,
        _ name: String,
        credential: String
    ) -> String? {
        let key = "koophone.auth.\(name)"
        if let configured = reader.text(key) { return configured }
        if let directory = ProcessInfo.processInfo.environment["CREDENTIALS_DIRECTORY"] {
            let file = "\(directory)/\(credential)"
            if hasContents(file) { return file }
        }
        reader.problem(
            key,
            "required: the path of a file with it; for a service, write it to the file of LoadCredential=\(credential): in the unit"
        )
        return nil
    }

    /// Whether there is more than white space in a file: the units pass a blank credential where its file is missing.
    private static func hasContents(_ file: String) -> Bool {
        let contents = FileManager.default.contents(atPath: file) ?? Data()
        return !contents.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }

    private static func checked<Value>(
        _ reader: inout SettingsReader,
        key: String,
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
