import KoobatchStore

/// The content of the database: whether it is ours, of this version, and whole.
struct ContentCheck: DoctorCheck {
    private static let name = "database"

    let database: String
    let full: Bool

    func findings() -> [Finding] {
        do {
            let connection = try DatabaseClient(path: database, access: .maintaining)
            try connection.requireCurrentSchema()
            if let flaw = try connection.flaw(full: full) {
                return [
                    .problem(
                        Self.name,
                        "it is damaged: \(flaw)",
                        advice: "Stop the daemon, keep the files for examination, and restore a backup; or "
                            + RepairAdvice.text(database)
                    )
                ]
            }
            let depth = full ? "integrity_check" : "quick_check"
            let version = DatabaseClient.knownSchemaVersion
            return [.ok(Self.name, "schema version \(version), whole (\(depth), rows and counts)")]
        } catch StoreError.missing {
            // Told by the check of the files.
            return []
        } catch let error as StoreError {
            return [.problem(Self.name, "\(error)", advice: "Do as it says, or set database to another path.")]
        } catch {
            return [
                .problem(
                    Self.name,
                    "it cannot be examined: \(error)",
                    advice: "Where it is locked: find who keeps it with lsof \(database), and end that program."
                )
            ]
        }
    }
}
