import KoobatchCore
import KoobatchEngine
import KoobatchStore

/// The daemon: whether one runs, and whether it makes progress.
struct DaemonCheck: DoctorCheck {
    private static let name = "daemon"
    private static let freshness = Duration.seconds(30)

    let database: String

    func findings() -> [Finding] {
        do {
            let owner = try OwnerLock.owner(ofDatabase: database)
            let connection = try DatabaseClient(path: database, access: .maintaining)
            try connection.requireCurrentSchema()
            return Self.findings(owner: owner, facts: try connection.daemonFacts(), at: EngineTime.system.now)
        } catch StoreError.cannotLock(_, let reason) {
            return [
                .warning(
                    Self.name,
                    "\(database).lock cannot be read (\(reason)), so that it is not known whether a daemon runs",
                    advice: "Use sudo."
                )
            ]
        } catch {
            // Told by the checks of the files and the content.
            return []
        }
    }

    /// What the lock and the daemon's own row say.
    static func findings(
        owner: String?,
        facts: DatabaseClient.DaemonFacts,
        at now: Timestamp
    ) -> [Finding] {
        var findings: [Finding] = []
        let age = facts.heartbeat.map { now - $0 }
        if let owner {
            if let age, age < freshness {
                findings.append(.ok(name, "running, version \(facts.version ?? "unknown"): \(owner)"))
            } else {
                findings.append(
                    .warning(
                        name,
                        "\(owner) holds the database and has written no heartbeat since \(Self.words(facts.heartbeat))",
                        advice: "See its log: journalctl -u koobatch. Somebody may keep the database locked."
                    )
                )
            }
        } else {
            let last = facts.stopped.map { "it stopped at \($0)" }
            findings.append(
                .warning(
                    name,
                    "none is running; \(last ?? facts.heartbeat.map { "its last heartbeat is of \($0)" } ?? "there never was one")",
                    advice: "Start it: sudo systemctl start koobatch. Without it nothing is sent."
                )
            )
        }
        if let age, age < .seconds(-5) {
            findings.append(
                .problem(
                    "clock",
                    "the last heartbeat, \(Self.words(facts.heartbeat)), is in the future: the clock was set back",
                    advice: "Set the clock (timedatectl); what is due by a wrong clock is sent at the wrong time."
                )
            )
        }
        if let heartbeat = facts.heartbeat, let trusted = facts.trusted, owner != nil,
            heartbeat - trusted > TrustedClock.tolerance
        {
            findings.append(
                .warning(
                    "clock",
                    "it jumped forward by \((heartbeat - trusted).components.seconds) s; deletions, expiry and result deadlines"
                        + " wait until it has proved right",
                    advice:
                        "Check the time (timedatectl). If it is right, the API's next answer or 10 minutes settle it."
                )
            )
        }
        if facts.credentialsRefused {
            findings.append(
                .problem(
                    "credentials",
                    "the API refused them last: \(facts.lastError ?? "")",
                    advice: "Renew the token, the password or the key; the daemon notices by itself."
                )
            )
        }
        return findings
    }

    private static func words(_ time: Timestamp?) -> String {
        time.map { "\($0)" } ?? "its start"
    }
}
