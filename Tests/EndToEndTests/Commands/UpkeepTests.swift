import Foundation
import KoobatchMigrations
import TestSupport
import Testing

/// The subcommands that look after the database.
@Suite(.programs)
struct UpkeepTests {
    private let line: CommandLine
    private let folder: TemporaryDirectory

    init() throws {
        line = try CommandLine()
        folder = try TemporaryDirectory()
    }

    @Test(arguments: ["fifo", "directory", "link"])
    func `a backup replaces nothing but a regular file`(kind: String) throws {
        let path = folder.path(kind)
        switch kind {
        case "fifo": try #require(mkfifo(path, 0o600) == 0)
        case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        default:
            try "precious".write(toFile: folder.path("precious"), atomically: true, encoding: .utf8)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: folder.path("precious"))
        }
        let before = try FileManager.default.attributesOfItem(atPath: path)
        let outcome = try line.run(["backup", path, "--force"])
        #expect(outcome.status == 1)
        #expect(outcome.errors == "koobatch: \(path) is there and is no regular file; give the name of a file\n")
        let after = try FileManager.default.attributesOfItem(atPath: path)
        #expect(after[.systemFileNumber] as? Int == before[.systemFileNumber] as? Int)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.url.path).allSatisfy { !$0.contains("partial") }
        )
    }

    @Test func `a backup does not go to standard output`() throws {
        let outcome = try Command.run(
            ["sh", "-c", "cd \"$0\" && exec \"$@\"", folder.url.path]
                + ["env", "KOOBATCH_DATABASE=\(line.shell.database)", program, "backup", "-"]
        )
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("A copy cannot go to standard output"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test(arguments: [
        ["metrics"], ["migrate"], ["migrate", "--json"], ["prune"], ["backup", "copy.db"], ["report", "1", "-o", "-"],
        ["watch"], ["watch", "1"], ["watch", "--json"], ["status"], ["doctor"], ["doctor", "--json"],
        ["submit", "--command", "ls", "--instances", "a", "--json"],
    ])
    func `output that cannot be written is a failure that says so`(arguments: [String]) throws {
        _ = try line.run(["submit", "--command", "ls", "--instances", "a"])
        // Open for reading alone.
        let unwritable = folder.path("unwritable")
        try "".write(toFile: unwritable, atomically: true, encoding: .utf8)
        let outcome = try Command.run(
            ["sh", "-c", "cd \"$0\" && exec \"$@\" 1<unwritable", folder.url.path]
                + ["env", "KOOBATCH_DATABASE=\(line.shell.database)", program] + arguments
        )
        let inserted = arguments[0] == "submit" ? "job 2 is inserted, but " : ""
        #expect(outcome.status == 1)
        #expect(outcome.errors == "koobatch: \(inserted)the output cannot be written: Bad file descriptor\n")
    }

    @Test func `what was done is told to scripts as one object`() throws {
        func object(_ arguments: [String]) throws -> String {
            try line.run(arguments + ["--json"]).output.trimmingCharacters(in: .newlines)
        }
        let version = Migrations.current
        let database = line.shell.database
        #expect(try object(["migrate"]) == #"{"database":"\#(database)","from":\#(version),"to":\#(version)}"#)
        let copy = folder.path("copy.db")
        let backup = try object(["backup", copy])
        #expect(
            backup.hasPrefix(#"{"file":"\#(copy)","jobs":0,"bytes":"#)
                && backup.hasSuffix(#","schema_version":\#(version)}"#)
        )
        let pruned = try object(["prune", "--dry-run"])
        #expect(
            pruned.hasPrefix(#"{"jobs":0,"instances":0,"finished_before":"2"#) && pruned.hasSuffix(#","dry_run":true}"#)
        )
    }

    @Test func `a database behind a link is the same to every subcommand`() throws {
        let link = folder.path("link.db")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: line.shell.database)
        let environment = ["KOOBATCH_DATABASE": link]
        #expect(try line.run(["submit", "--command", "ls", "--instances", "a"], environment: environment).status == 0)
        #expect(try line.run(["status", "1"], environment: environment).status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["link.db"])
    }

    @Test func `a configuration that is a directory is refused with the reason`() throws {
        let outcome = try line.run(["run", "--config", folder.url.path])
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("\(folder.url.path): cannot be read: Is a directory\n"), "\(outcome.errors)")
    }

    @Test func `problems at the start have the priority of an error in the journal, on every line`() throws {
        let script = "cd \"$0\"; : >journal; JOURNAL_STREAM=$(stat --format=%d:%i journal) \"$@\" 2>>journal"
        let configuration = folder.path("k.yaml")
        try "submit: {chunk_size: 0}\nlog: {level: loud}\n".write(
            toFile: configuration,
            atomically: true,
            encoding: .utf8
        )
        let outcome = try Command.run(["sh", "-c", script, folder.url.path, program, "run", "--config", configuration])
        #expect(outcome.status == 78)
        let journal = try String(contentsOfFile: folder.path("journal"), encoding: .utf8).split(separator: "\n")
        #expect(journal.count > 2 && journal.allSatisfy { $0.hasPrefix("<3>") }, "\(journal)")
    }

    @Test(arguments: ["run", "migrate", "status"])
    func `an empty or relative database is refused, and leaves no file`(command: String) throws {
        func refusal(_ arguments: [String], _ environment: [String]) throws -> Command.Outcome {
            try Command.run(
                ["sh", "-c", "cd \"$0\" && exec \"$@\"", folder.url.path] + ["env"] + environment
                    + [
                        "KOOBATCH_KOOPHONE_ENDPOINT=http://127.0.0.1:1", "KOOBATCH_KOOPHONE_AUTH_TOKEN_FILE=/t",
                        program,
                    ]
                    + [command] + arguments
            )
        }
        let empty = try refusal(["--database", ""], [])
        #expect(empty.status == 78 && empty.errors.contains("database: --database must be a path, not empty"))
        let relative = try refusal([], ["KOOBATCH_DATABASE=k.db"])
        #expect(relative.status == 78 && relative.errors.contains("database: must be an absolute path, not k.db"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    private var program: String { ChildProcess.builtPrograms.appending(path: "koobatch").path }
}
