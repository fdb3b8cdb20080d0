import KoobatchStore

/// The SQLite library: whether it has the defect that koobatch is built around.
struct LibraryCheck: DoctorCheck {
    private static let name = "sqlite"
    /// The first version without the defect (https://sqlite.org/wal.html#walresetbug).
    private static let mended = [3, 51, 3]

    func findings() -> [Finding] {
        do {
            return [Self.finding(version: try DatabaseClient.libraryVersion())]
        } catch {
            return [.problem(Self.name, "the library does not work: \(error)", advice: "Install libsqlite3 again.")]
        }
    }

    static func finding(version: String) -> Finding {
        let parts = version.split(separator: ".").compactMap { Int($0) }
        guard parts.lexicographicallyPrecedes(mended) else { return .ok(name, version) }
        return .warning(
            name,
            "\(version): before 3.51.3 a checkpoint beside a writer can damage a database",
            advice: "koobatch avoids it: only the daemon checkpoints. In programs of your own that write, run PRAGMA"
                + " wal_autocheckpoint=0; and never checkpoint by hand while the daemon runs."
        )
    }
}
