import ArgumentParser

/// The program.
@main
struct Koobatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "koobatch",
        abstract: "Runs one ADB shell command on many KooPhone cloud phones, driven by rows in a SQLite database.",
        discussion: """
            The daemon works on jobs, which are rows of a database. Insert one and look at \
            it with these commands:

              koobatch submit --command reboot --instances a44uhlf7,efjy72gs --wait
              koobatch status

            or with the sqlite3 shell:

              sqlite3 /var/lib/koobatch/koobatch.db \\
                "INSERT INTO command_jobs (command, instance_ids)
                 VALUES ('reboot', '[\\"a44uhlf7\\"]')"
              sqlite3 -box /var/lib/koobatch/koobatch.db "SELECT * FROM job_status"

            koobatch --generate-completion-script bash (or zsh, fish) prints completions \
            for the shell.
            """,
        version: Version.current,
        subcommands: [
            Run.self,
            Migrate.self,
            Doctor.self,
            Backup.self,
            Prune.self,
            MetricsCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "Job",
                subcommands: [Submit.self, Status.self, Watch.self, Results.self, Why.self, ReportCommand.self]
            ),
            CommandGroup(
                name: "Control",
                subcommands: [Cancel.self, Pause.self, Resume.self, Retry.self, Release.self, GiveUp.self]
            ),
        ]
    )
}
