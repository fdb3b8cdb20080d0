import KoobatchCloud
import KoobatchCore
import KoobatchEngine
import Logging

/// The API: whether it can be reached, accepts the credentials and has the same time.
struct EndpointCheck: DoctorCheck {
    private static let name = "endpoint"
    /// How far the clocks may be apart: a signature is refused after 15 minutes, and a token's end comes early.
    private static let tolerance = Duration.seconds(60)

    let cloud: KooPhoneClient.Configuration
    /// Whether the credentials are kept from this user, who then has none to ask with.
    let isOfOthers: Bool

    func findings() async -> [Finding] {
        let client = KooPhoneClient(
            configuration: cloud,
            logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        )
        var generator = SystemRandomNumberGenerator()
        let probe = await client.probe(requestID: .random(using: &generator))
        let now = EngineTime.system.now
        do {
            try await client.shutdown()
        } catch {
            return [
                .problem(Self.name, "the connection cannot be closed: \(error)", advice: "Run koobatch doctor again.")
            ]
        }
        let failure = await described(probe.failure)
        let clock = probe.date.map { Self.clock(theirs: $0, ours: now) }
        let finding =
            failure.map { Self.finding($0, isOfOthers: isOfOthers) }
            ?? .ok(Self.name, "it answers and accepts the credentials")
        return routes() + [finding, clock].compactMap(\.self)
    }

    /// Which way requests go.
    private func routes() -> [Finding] {
        cloud.routes.map { host, route in
            let isOfVariable = route.source.map { $0 != SettingsKey.proxy.name } ?? false
            let hint = isOfVariable ? ", as this command was started; the service has an environment of its own" : ""
            return .ok("network", "requests to \(host) go \(route)\(hint)")
        }
    }

    /// A failure of TLS with what the host shows of itself.
    private func described(_ failure: ServiceFailure?) async -> ServiceFailure? {
        guard let failure, Self.isOfTLS(failure.message),
            let shown = await cloud.presentedCertificate(ofIAM: failure.outcome == .unauthenticated)
        else { return failure }
        return failure.with(message: "\(failure.message); \(Self.text(of: shown, at: EngineTime.system.now))")
    }

    /// The certificate, and what is wrong with it as far as it tells that itself.
    static func text(of certificate: PresentedCertificate, at now: Timestamp) -> String {
        let flaw =
            if certificate.validUntil < now {
                "it has expired"
            } else if certificate.validFrom > now {
                "it is not valid yet, or this clock is slow"
            } else if certificate.subject == certificate.issuer {
                "it is issued by itself"
            } else {
                "its issuer is not trusted here, or it is for other hosts"
            }
        let hosts = certificate.hosts.isEmpty ? "no host by name" : certificate.hosts.joined(separator: ", ")
        return "the host shows a certificate for \(certificate.subject) (\(hosts)), issued by \(certificate.issuer),"
            + " valid from \(certificate.validFrom) until \(certificate.validUntil): \(flaw)"
    }

    static func finding(_ failure: ServiceFailure, isOfOthers: Bool = false) -> Finding {
        let message = "\(failure.errorCode) \(failure.message)"
        switch failure.outcome {
        case .unauthenticated where isOfOthers:
            return .warning(
                name,
                "not asked, because this user may not read the credentials",
                advice: "Use sudo to have it checked."
            )
        case .unauthenticated:
            return .problem(
                "credentials",
                "the API does not get or accept them: \(message)",
                advice: "Renew the token, the password or the key; see koophone.auth in the configuration."
            )
        case .throttled:
            return .warning(
                name,
                "it answers, and throttles: \(message)",
                advice: "Wait; the daemon slows down by itself."
            )
        case .notSent:
            let text = failure.message.lowercased()
            return .problem(name, message, advice: advice(forConnection: text))
        case .unknown:
            return .problem(
                name,
                message,
                advice: "Something else may answer at koophone.endpoint, or the network is slow or cuts connections."
            )
        case .refused:
            return .problem(
                name,
                "it answers, and refuses: \(message)",
                advice: failure.isOfEndpoint
                    ? "The API itself fails: wait, or ask its operators."
                    : "Check koophone.endpoint, and that the project is subscribed to the service and may use it."
            )
        }
    }

    private static func isOfTLS(_ message: String) -> Bool {
        message.lowercased().contains("tls handshake failed")
    }

    private static func advice(forConnection message: String) -> String {
        if isOfTLS(message) {
            return "TCP works, TLS does not: if the issuer is an authority of your own, or of a proxy that looks into"
                + " TLS, set koophone.ca_file to its certificate; else check the CA certificates (package ca-certificates),"
                + " the clock, and that koophone.endpoint names the host of the certificate."
        }
        if message.contains("the proxy") {
            return "Check koophone.proxy, or the variables HTTPS_PROXY and NO_PROXY, and the rules of the proxy."
        }
        if message.contains("name cannot be resolved") {
            return "DNS does not know the host: check koophone.endpoint and /etc/resolv.conf."
        }
        if message.contains("refused") {
            return "The host is there, and nothing listens at the port: check koophone.endpoint and firewalls."
        }
        return "The host cannot be reached: check koophone.endpoint, the network and firewalls."
    }

    static func clock(theirs: Timestamp, ours: Timestamp) -> Finding {
        let difference = ours - theirs
        let seconds = abs(difference.components.seconds)
        guard seconds > tolerance.components.seconds else { return .ok("clock", "as that of the API") }
        return .problem(
            "clock",
            "this clock is \(seconds) seconds \(difference > .zero ? "ahead of" : "behind") that of the API",
            advice: "Set it: timedatectl set-ntp true. Signatures and tokens are refused by a clock that differs."
        )
    }
}
