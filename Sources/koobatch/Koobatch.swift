import ArgumentParser

/// The program.
@main
struct Koobatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "koobatch",
        abstract: "Runs one ADB shell command on many KooPhone cloud phones, driven by rows in a SQLite database.",
        discussion: """
            Insert a job with the sqlite3 shell, and look at it there:

              sqlite3 /var/lib/koobatch/koobatch.db \\
                "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls -l /system', '[\\"a44uhlf7\\"]')"
              sqlite3 -box /var/lib/koobatch/koobatch.db "SELECT * FROM job_status"
            """,
        version: Version.current,
        subcommands: [
            Run.self, Migrate.self, Backup.self, Prune.self, Doctor.self, MetricsCommand.self, ReportCommand.self,
        ]
    )
}
