import KoobatchCloud

extension Settings {
    /// What `koophone.proxy` is where a proxy of the environment is not to be used.
    private static let noProxyWord = "none"
    /// The variables that other programs take a proxy for https from, in the order of curl.
    private static let proxyVariables = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]

    /// The way to the API: proxy and certificate authorities.
    static func network(_ reader: inout SettingsReader, _ environment: [String: String]) -> Network {
        let proxy = proxy(&reader, environment)
        let noProxy = ["no_proxy", "NO_PROXY"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        return Network(proxy: proxy, noProxy: NoProxy(noProxy ?? ""), authorities: authorities(&reader))
    }

    private static func proxy(_ reader: inout SettingsReader, _ environment: [String: String]) -> Proxy? {
        let configured = reader.text(.proxy)
        let user = reader.text(.proxyUser)
        if configured?.lowercased() == noProxyWord { return nil }
        let variable = proxyVariables.lazy.map { ($0, environment[$0] ?? "") }.first { !$0.1.isEmpty }
        let proxy: Proxy
        do throws(ProxyError) {
            if let configured {
                proxy = try Proxy(configured, source: SettingsKey.proxy.name, allowsUserInfo: false)
            } else if let (name, value) = variable {
                proxy = try Proxy(value, source: name, allowsUserInfo: true)
            } else {
                return nil
            }
        } catch {
            reader.problem(.proxy, configured == nil ? "\(variable?.0 ?? ""): \(error)" : "\(error)")
            return nil
        }
        return user.map { login(&reader, environment, proxy, user: $0) } ?? proxy
    }

    private static func login(
        _ reader: inout SettingsReader,
        _ environment: [String: String],
        _ proxy: Proxy,
        user: String
    ) -> Proxy? {
        guard let file = secretFile(&reader, environment, .proxyPasswordFile, credential: "proxy_password") else {
            return nil
        }
        do throws(ProxyError) {
            return try proxy.with(user: user, passwordFile: file)
        } catch .colonInUser {
            reader.problem(.proxyUser, "\(ProxyError.colonInUser)")
        } catch {
            reader.problem(.proxyPasswordFile, "\(error)")
        }
        return nil
    }

    private static func authorities(_ reader: inout SettingsReader) -> CertificateAuthorities? {
        guard let file = reader.text(.caFile) else { return nil }
        do throws(CertificateAuthoritiesError) {
            return try CertificateAuthorities(file: file)
        } catch {
            reader.problem(.caFile, "\(error)")
            return nil
        }
    }
}
