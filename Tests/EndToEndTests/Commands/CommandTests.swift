import Foundation
import TestSupport
import Testing

/// The subcommands for people, beside a database without a daemon.
@Suite(.programs)
struct CommandTests {
    private let line: CommandLine

    init() throws {
        line = try CommandLine()
    }

    @Test func `submit stores the job with its settings and says how to follow it`() throws {
        let outcome = try line.run([
            "submit", "--command", "ls -l /system", "--instances", "a44uhlf7, efjy72gs", "--label", "two phones",
            "--unique-key", "k", "--priority", "5", "--run-at", "2040-01-01", "--expires-at", "2041-01-01",
            "--max-attempts", "3", "--on-unknown", "hold", "--max-concurrency", "4", "--max-errors", "2%", "--canary",
            "1",
            "--result-timeout", "90", "--paused",
        ])
        #expect(outcome.output == "job 1: 2 instances; follow it with: koobatch watch 1\n")
        #expect(
            outcome.errors
                == "koobatch: the daemon is not running; the job waits until it is: systemctl start koobatch\n"
        )
        #expect(outcome.status == 0)
        let stored = try line.shell.run(
            """
            SELECT command, instance_ids, label, unique_key, priority, run_at, expires_at, max_attempts, on_unknown,
                   max_concurrency, max_errors, canary, result_timeout, state
              FROM command_jobs
            """
        )
        #expect(
            stored == #"ls -l /system|["a44uhlf7","efjy72gs"]|two phones|k|5|2040-01-01T00:00:00.000Z|"#
                + "2041-01-01T00:00:00.000Z|3|hold|4|2%|1|90.0|paused"
        )
    }

    @Test(arguments: [
        ("# phones\na\n\n b \r\n", ["-"]), ("a\nb\na\n", ["-", "--unique"]), ("name,id\nx,a\ny,b\n", ["-"]),
        ("name,id\na,x\nb,y\n", ["-", "--column", "name"]), (#"["a","b"]"#, ["--instances-file", "-"]),
        (#"[{"id":"a"},{"instance_id":"b"}]"#, ["-", "--input-format", "json"]),
    ])
    func `instances come from standard input`(input: String, arguments: [String]) throws {
        let outcome = try line.run(["submit", "--json", "--command", "ls"] + arguments, input: input)
        #expect(outcome.output == "{\"id\":1}\n", "\(outcome.errors)")
        #expect(try line.shell.run("SELECT instance_ids FROM command_jobs") == #"["a","b"]"#)
    }

    @Test func `instances come from a file, however many`() throws {
        let ids = (0..<50_000).map { "phone-\($0)" }
        let file = try line.file("phones.txt", ids.joined(separator: "\n"))
        let outcome = try line.run(["submit", "--command", "ls", "--instances-file", file])
        #expect(outcome.output == "job 1: 50,000 instances; follow it with: koobatch watch 1\n")
        let stored = try line.shell.run(
            "SELECT json_array_length(instance_ids), instance_ids ->> 0, instance_ids ->> 49999 FROM command_jobs"
        )
        #expect(stored == "50000|phone-0|phone-49999")
    }

    @Test(arguments: [
        (
            ["--instances", "a", "--max-errors", "x"],
            "max_errors: a whole number such as 5, or a percentage from 0% to 100%", 1
        ),
        (["--instances", "a", "--on-unknown", "x"], "on_unknown: retry, hold or fail", 1),
        (
            ["--instances", "a,b,a"],
            #"duplicate instances: "a" on elements 1 and 3; --unique ignores duplicates"#, 1
        ),
        (["--instances-file", "/nonexistent"], "/nonexistent: No such file or directory", 1),
        (["-"], "standard input: there is no instance in it", 1),
        ([], "Give the instances once: --instances, --instances-file or -", 64),
        (["-", "--instances", "a"], "Give the instances once: --instances, --instances-file or -", 64),
        (["a", "b"], "Unexpected argument", 64),
        (["--instances", "a", "--result-timeout", "nan"], "--result-timeout: a number of seconds, not nan", 64),
        (["--instances", "a", "--priority", "x"], "The value 'x' is invalid for '--priority <priority>'", 64),
    ])
    func `a job that cannot be is refused with a sentence`(arguments: [String], message: String, status: Int32) throws {
        let outcome = try line.run(["submit", "--command", "ls"] + arguments)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(status != 1 || outcome.errors == "koobatch: \(message)\n")
        #expect(outcome.output.isEmpty)
        #expect(outcome.status == status)
        #expect(try line.shell.run("SELECT count(*) FROM command_jobs") == "0")
    }

    @Test func `dry-run checks the job and stores nothing`() throws {
        let outcome = try line.run(["submit", "--dry-run", "--command", "ls", "--instances", "a,b"])
        #expect(outcome.output == "the job is valid: 2 instances; nothing is inserted\n")
        #expect(try line.run(["submit", "--dry-run", "--command", "l;s", "--instances", "a"]).status == 1)
        #expect(try line.shell.run("SELECT count(*) FROM command_jobs") == "0")
    }

    @Test func `status lists jobs, and tells everything about one`() throws {
        #expect(try line.run(["status"]).output == "there is no job yet; insert one with: koobatch submit\n")
        try line.shell.run(
            """
            INSERT INTO command_jobs (command, instance_ids, label, created_at, run_at)
            VALUES ('ls -l /system', '["a","b"]', 'two', '2130-01-02 03:04:05', '2130-01-02 03:04:05'),
                   ('reboot', '["a"]', NULL, '2130-01-02 03:04:06', '2130-01-02 03:04:05');
            UPDATE command_jobs SET state = 'cancelled' WHERE id = 2;
            """
        )
        #expect(
            try line.run(["status"]).output == """
                ID  STATE      LABEL  COMMAND        TOTAL    DONE  CANCELLED  CREATED
                 1  queued     two    ls -l /system      2    0.0%             2130-01-02 03:04:05
                 2  cancelled         reboot             1  100.0%          1  2130-01-02 03:04:06

                the daemon is not running; start it with: systemctl start koobatch

                """
        )
        let limited = try line.run(["status", "--limit", "1"]).output
        #expect(limited.contains("\nand 1 more job; --all shows them\n"), "\(limited)")
        #expect(
            try line.run(["status", "1"], environment: ["LC_ALL": "C"]).output == """
                job                  1
                command              ls -l /system
                label                two
                state                queued
                done                 .................... 0.0% of 2 instances
                instances            2 pending
                created              2130-01-02 03:04:05
                priority             0
                run_at               2130-01-02 03:04:05
                max_attempts         8
                on_unknown           retry
                serialize_instances  0

                the daemon is not running; start it with: systemctl start koobatch

                WAITS FOR  UNTIL                WHY
                run_at     2130-01-02 03:04:05  not before run_at, 2130-01-02T03:04:05.000Z

                """
        )
        let missing = try line.run(["status", "9"])
        #expect(missing.errors == "koobatch: there is no job 9\n")
        #expect(missing.status == 1)
    }

    @Test func `JSON is what the views hold`() throws {
        try line.shell.run(
            "INSERT INTO command_jobs (command, instance_ids, label, run_at) VALUES ('ls', '[\"a\",\"b\"]', 'é\"', '2040-01-01');"
        )
        func json(_ arguments: [String]) throws -> String {
            let outcome = try line.run(arguments + ["--json"])
            #expect(outcome.status == 0)
            _ = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
            return outcome.output
        }
        let columns = """
            id, label, command, state, state_reason, total, pending, submitted, succeeded, failed, unknown, cancelled, rejected,
            percent_done, created_at, started_at, finished_at, eta
            """
        let names = columns.split { " ,\n".contains($0) }.map { "'\($0)', \($0)" }.joined(separator: ", ")
        let row = try line.shell.run("SELECT json_object(\(names)) FROM job_status")
        #expect(try json(["status"]) == "[\n\(row)\n]\n")
        #expect(try json(["status", "1"]).hasPrefix(row.dropLast()))
        #expect(
            try json(["status", "1"]).contains(#""unique_key":null,"priority":0,"run_at":"2040-01-01T00:00:00.000Z","#)
        )
        #expect(
            try json(["why"]) == "[\n"
                + #"{"command_job_id":1,"chunk_id":null,"blocker":"run_at","explanation":"not before run_at, 2040-01-01T00:00:00.000Z","#
                + #""earliest_at":"2040-01-01T00:00:00.000Z","request_id":null}"# + "\n]\n"
        )
        #expect(try json(["results", "1", "--state", "failed"]) == "[]\n")
        let results = try json(["results", "1"])
        #expect(results.split(separator: "\n").count == 4)
        #expect(results.contains(#"{"instance_id":"a","state":"pending","error_code":null,"#))
        #expect(try json(["pause", "1"]).contains(#""state":"paused","state_reason":"paused by hand""#))
    }

    @Test func `jobs are steered one by one, and a refusal does not keep back the others`() throws {
        try line.shell.run(
            "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"a\"]'), ('ls', '[\"b\",\"c\"]');"
        )
        let paused = try line.run(["pause", "1", "9", "2"])
        #expect(
            paused.output == """
                job 1 is paused: 1 instance waits; koobatch resume 1 goes on
                job 2 is paused: 2 instances wait; koobatch resume 2 goes on

                """
        )
        #expect(paused.errors == "koobatch: there is no job 9\n")
        #expect(paused.status == 1)
        #expect(try line.run(["pause", "1"]).output == "job 1 is paused already\n")
        #expect(try line.run(["resume", "1"]).output == "job 1 is running again: 1 instance to go\n")
        #expect(try line.run(["cancel", "2"]).output == "job 2 is cancelled: 2 instances will not be sent\n")
        #expect(try line.run(["retry", "2"]).output == "job 2 runs again: 2 instances that did not succeed\n")
        let refused = try line.run(["retry", "1"])
        #expect(refused.errors.hasPrefix("koobatch: job 1: state: queued is for a finished job"), "\(refused.errors)")
        #expect(refused.status == 1)
        #expect(try line.run(["cancel"]).status == 64)
        #expect(try line.run(["cancel", "x"]).status == 64)
    }

    @Test func `only the database need be known`() throws {
        let unreadable = ["--config", "/nonexistent.yaml"]
        #expect(try line.run(["status"] + unreadable).status == 0, "the environment names it")
        let nothing = try line.run(["status"] + unreadable, environment: ["KOOBATCH_DATABASE": ""])
        #expect(nothing.status == 78)
        #expect(nothing.errors.contains("/nonexistent.yaml"))
        let bare = try line.file("bare.yaml", "database: \(line.shell.database)\nsubmit: {chunk_size: -1}\n")
        let configured = try line.run(["status", "--config", bare], environment: ["KOOBATCH_DATABASE": ""])
        #expect(configured.status == 0, "\(configured.errors)")
        let other = try line.run(["status", "--database", "/nonexistent.db"])
        #expect(other.errors == "koobatch: there is no database at /nonexistent.db; create it with: koobatch migrate\n")
        #expect(other.status == 1)
    }

    @Test func `on a terminal a table fits and has colours, unless they are not wanted`() throws {
        try line.shell.run(
            """
            INSERT INTO command_jobs (command, instance_ids, label, created_at)
            VALUES ('ls', '["a"]', '夜间任务夜间任务夜间任务夜间任务夜间任务', '2130-01-02 03:04:05');
            """
        )
        let plain = try line.show("status", columns: 64, environment: ["NO_COLOR": "1"])
        #expect(
            plain.hasPrefix(
                """
                ID  STATE   LABEL      COMMAND  TOTAL  DONE  CREATED
                 1  queued  夜间任务…  ls           1  0.0%  2130-01-02 03:04:05

                """
            ),
            "\(plain)"
        )
        #expect(!plain.contains("\u{1B}["))
        #expect(try line.show("status", columns: 60).contains("\u{1B}[36mqueued\u{1B}[0m"))
        #expect(try !line.show("status", columns: 60, environment: ["TERM": "dumb"]).contains("\u{1B}["))
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `shells are told what can be typed`(shell: String) throws {
        let script = try line.run(["--generate-completion-script", shell])
        #expect(script.status == 0)
        for word in ["instances-file", "give-up", "max-errors"] { #expect(script.output.contains(word)) }
    }

    @Test(arguments: [
        "submit", "status", "watch", "results", "why", "cancel", "pause", "resume", "retry", "release", "give-up",
    ])
    func `help shows examples in 80 columns`(subcommand: String) throws {
        let help = try line.run([subcommand, "--help"]).output
        #expect(help.contains("\n  koobatch \(subcommand) "), "\(help)")
        #expect(help.split(separator: "\n").filter { !$0.hasPrefix("USAGE") }.allSatisfy { $0.count <= 80 })
    }
}
