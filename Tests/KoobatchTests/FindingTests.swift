import KoobatchCloud
import KoobatchCore
import KoobatchStore
import Testing

@testable import koobatch

@Suite("Findings of the doctor")
struct FindingTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    private static func daemon(
        owner: String? = nil,
        heartbeat: Int64?,
        stopped: Bool = false,
        refused: Bool = false
    ) -> [Finding] {
        let heartbeat = heartbeat.map { now + .seconds($0) }
        return DaemonCheck.findings(
            owner: owner,
            facts: .init(
                pid: 7,
                version: "1.2.3",
                heartbeat: heartbeat,
                stopped: stopped ? heartbeat : nil,
                credentialsRefused: refused,
                lastError: "APIGW.0301 no"
            ),
            at: now
        )
    }

    @Test("a daemon at work is as it should be; one that gives no heartbeat is not")
    func daemonAtWork() {
        #expect(Self.daemon(owner: "pid 7", heartbeat: -29).map(\.level) == [.ok])
        let silent = Self.daemon(owner: "pid 7", heartbeat: -30)
        #expect(silent.map(\.level) == [.warning])
        let words = "pid 7 holds the database and has written no heartbeat since 2027"
        #expect(silent.map(\.message).joined().contains(words))
        #expect(Self.daemon(owner: "pid 7", heartbeat: nil)[0].message.contains("since its start"))
    }

    @Test("a daemon that does not run is told with what is known of the last one")
    func noDaemon() {
        #expect(Self.daemon(heartbeat: -5)[0].message.contains("its last heartbeat is of"))
        #expect(Self.daemon(heartbeat: -5, stopped: true)[0].message.contains("it stopped at"))
        #expect(Self.daemon(heartbeat: nil)[0].message.contains("there never was one"))
    }

    @Test("a heartbeat from the future means a clock that was set back")
    func future() {
        #expect(Self.daemon(owner: "pid 7", heartbeat: 5).map(\.check) == ["daemon"])
        let found = Self.daemon(owner: "pid 7", heartbeat: 6)
        #expect(found.map(\.check) == ["daemon", "clock"] && found.last?.level == .problem)
    }

    @Test("credentials that the API refused last are a problem")
    func refused() {
        let found = Self.daemon(owner: "pid 7", heartbeat: 0, refused: true)
        #expect(found.map(\.level) == [.ok, .problem])
        #expect(found.last?.check == "credentials" && found.last?.message.contains("APIGW.0301") == true)
    }

    @Test(
        "a clock may differ from that of the API by a minute",
        arguments: [
            (0, nil), (60, nil), (-60, nil), (61, "61 seconds ahead of that of the API"),
            (-3_600, "3600 seconds behind that of the API"),
        ] as [(Int64, String?)]
    )
    func clock(_ seconds: Int64, _ words: String?) {
        let finding = EndpointCheck.clock(theirs: Self.now, ours: Self.now + .seconds(seconds))
        #expect(finding.level == (words == nil ? .ok : .problem))
        if let words { #expect(finding.message == "this clock is \(words)") }
    }

    @Test(
        "a certificate is told with what is wrong with it",
        arguments: [
            (-10, -1, "b", "it has expired"), (1, 10, "b", "it is not valid yet"),
            (-1, 1, "a", "it is issued by itself"), (-1, 1, "b", "its issuer is not trusted here"),
        ] as [(Int64, Int64, String, String)]
    )
    func certificate(_ from: Int64, _ until: Int64, _ issuer: String, _ flaw: String) {
        let shown = PresentedCertificate(
            subject: "CN=a",
            issuer: "CN=\(issuer)",
            validFrom: Self.now + .seconds(from),
            validUntil: Self.now + .seconds(until),
            hosts: ["h"]
        )
        let text = EndpointCheck.text(of: shown, at: Self.now)
        #expect(text.contains("CN=a (h), issued by CN=\(issuer), valid from 2027-01-15T"))
        #expect(text.contains(": \(flaw)"))
    }

    @Test(
        "SQLite before 3.51.3 has the defect",
        arguments: [
            ("3.40.1", .warning), ("3.51.2", .warning), ("3.51.3", .ok), ("3.52.0", .ok), ("3.9.2", .warning),
            ("4.0.0", .ok),
        ] as [(String, Finding.Level)]
    )
    func library(_ version: String, _ level: Finding.Level) {
        #expect(LibraryCheck.finding(version: version).level == level)
    }

    @Test(
        "there should be a gigabyte, and must be a hundred megabytes",
        arguments: [(1_000_000_000, .ok), (999_999_999, .warning), (100_000_000, .warning), (99_999_999, .problem)]
            as [(Int, Finding.Level)]
    )
    func space(_ free: Int, _ level: Finding.Level) {
        #expect(SpaceCheck.finding(directory: "/d", free: free).level == level)
    }

    @Test("a large write-ahead log means a reader that keeps it")
    func logFile() {
        #expect(LogFileCheck.finding(database: "/d/k.db", size: 63_999_999).level == .ok)
        let large = LogFileCheck.finding(database: "/d/k.db", size: 64_000_000)
        #expect(large.level == .warning && large.advice?.contains("lsof /d/k.db-shm") == true)
    }

    @Test(
        "each failure of the API has advice of its own",
        arguments: [
            (.init(.unauthenticated, errorCode: "c", message: "m"), .problem, "credentials", "Renew the token"),
            (.init(.throttled, errorCode: "c", message: "m"), .warning, "endpoint", "Wait"),
            (
                .init(.refused, httpStatus: 503, errorCode: "c", message: "m", endpointFault: .suspected), .problem,
                "endpoint",
                "The API itself fails"
            ),
            (.init(.refused, httpStatus: 403, errorCode: "c", message: "m"), .problem, "endpoint", "subscribed"),
            (.init(.unknown, errorCode: "c", message: "m"), .problem, "endpoint", "Something else may answer"),
            (
                .init(.notSent, errorCode: "c", message: "its name cannot be resolved"), .problem, "endpoint",
                "DNS does not know"
            ),
            (
                .init(.notSent, errorCode: "c", message: "TLS handshake failed: CERTIFICATE_VERIFY_FAILED"), .problem,
                "endpoint", "TLS does not"
            ),
            (
                .init(.notSent, errorCode: "c", message: "Connection refused (errno: 111)"), .problem, "endpoint",
                "nothing listens"
            ),
            (
                .init(.notSent, errorCode: "c", message: "the proxy p:1 refuses a tunnel"), .problem, "endpoint",
                "Check koophone.proxy"
            ),
            (.init(.notSent, errorCode: "c", message: "connectTimeout"), .problem, "endpoint", "cannot be reached"),
        ] as [(ServiceFailure, Finding.Level, String, String)]
    )
    func endpoint(_ failure: ServiceFailure, _ level: Finding.Level, _ check: String, _ advice: String) {
        let finding = EndpointCheck.finding(failure)
        #expect(finding.level == level && finding.check == check)
        #expect(finding.advice?.contains(advice) == true, "\(finding)")
    }

    @Test("The API was not asked by a user who may not read the secret")
    func notAsked() {
        let finding = EndpointCheck.finding(.init(.unauthenticated, errorCode: "c", message: "m"), isOfOthers: true)
        #expect(finding.level == .warning && finding.check == "endpoint" && finding.message.hasPrefix("not asked"))
        let other = EndpointCheck.finding(.init(.unknown, errorCode: "c", message: "m"), isOfOthers: true)
        #expect(other.level == .problem)
    }
}
