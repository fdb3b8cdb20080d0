import KoobatchStore

/// The files beside the database with answers that it did not take.
struct SpoolCheck: DoctorCheck {
    private static let name = "answers"

    let database: String

    func findings() -> [Finding] {
        let spool = AnswerSpool(database: database)
        do {
            return Self.findings(
                waiting: try spool.lines().count,
                rejected: try spool.rejectedLines().count,
                path: spool.path,
                rejectedPath: spool.rejectedPath
            )
        } catch {
            return [
                .problem(
                    Self.name,
                    "\(error)",
                    advice:
                        "Look at it as a user who may, such as the daemon's: it holds answers that are not in the database."
                )
            ]
        }
    }

    /// What is said of so many lines.
    static func findings(waiting: Int, rejected: Int, path: String, rejectedPath: String) -> [Finding] {
        var findings: [Finding] = []
        if waiting > 0 {
            findings.append(
                .warning(
                    name,
                    "\(waiting) answers of the API wait in \(path): the database did not take them",
                    advice:
                        "Keep the file. A running daemon records them when the database can be written, else the next start does: sudo systemctl start koobatch."
                )
            )
        }
        if rejected > 0 {
            findings.append(
                .problem(
                    name,
                    "\(rejected) answers of the API in \(rejectedPath) could not be taken in",
                    advice:
                        "Each line has the task_id and the job_id of every instance: compare it with the chunk that it names, then move the file away."
                )
            )
        }
        return findings
    }
}
