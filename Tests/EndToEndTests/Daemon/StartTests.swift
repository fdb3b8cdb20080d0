import Foundation
import KoobatchMigrations
import TestSupport
import Testing

@Suite("Starting the program", .programs)
struct StartTests {
    @Test("every problem of the configuration is reported at once, with exit status 78")
    func badConfiguration() throws {
        let koobatch = try Koobatch()
        try "koophone: {endpoint: ''}\nsubmit: {chunk_size: 101, timeout: soon}\nlog: {level: loud}\n".write(
            to: koobatch.folder.appending(path: "koobatch.yaml"),
            atomically: true,
            encoding: .utf8
        )
        // The secret that belongs to a configuration of this name.
        try FileManager.default.removeItem(at: koobatch.folder.appending(path: "token"))
        let run = try koobatch.program(["run"])
        #expect(run.wait() == 78)
        let said = try run.errors
        for part in [
            "koophone.endpoint: required", "koophone.auth.token_file: required",
            "submit.chunk_size: must be a whole number from 1 to 100, not 101",
            "submit.timeout: must be a number of seconds", "log.level: must be",
        ] {
            #expect(said.contains(part), "\(said)")
        }
    }

    @Test("a credential that systemd passes is used, a blank one is not", arguments: ["\n", "", "t0\n"])
    func credential(contents: String) throws {
        let koobatch = try Koobatch()
        let configuration = koobatch.folder.appending(path: "credential.yaml")
        // The endpoint is wrong, so that the program ends at once.
        try "koophone: {endpoint: 'http://example.com'}\n".write(to: configuration, atomically: true, encoding: .utf8)
        try contents.write(to: koobatch.folder.appending(path: "token"), atomically: true, encoding: .utf8)
        let run = try ChildProcess(
            "koobatch",
            ["run", "--config", configuration.path],
            in: koobatch.folder,
            environment: ["CREDENTIALS_DIRECTORY": koobatch.folder.path]
        )
        #expect(run.wait() == 78)
        let isMissed = try run.errors.contains("koophone.auth.token_file: required")
        #expect(isMissed == (contents != "t0\n"))
    }

    @Test("SIGTERM and SIGINT while it starts end it in order", arguments: [SIGTERM, SIGINT])
    func endWhileStarting(signal: Int32) throws {
        let koobatch = try Koobatch()
        let lock = koobatch.shell.database + ".lock"
        _ = FileManager.default.createFile(atPath: lock, contents: nil)
        let changes = FileChanges(lock)
        // Keeps the start waiting, once it has written its name into the lock file.
        let (input, output) = (Pipe.notInherited(), Pipe.notInherited())
        let holder = try Command(
            ["sqlite3", koobatch.shell.database, "BEGIN EXCLUSIVE;", ".shell echo 1; cat"],
            input: input.fileHandleForReading.fileDescriptor,
            output: output.fileHandleForWriting.fileDescriptor
        )
        #expect(try output.fileHandleForReading.read(upToCount: 1) == Data("1".utf8))
        let run = try koobatch.program(["run"])
        try changes.wait(within: .seconds(60), else: "the lock file stays empty: \(try run.errors)") {
            try !Data(contentsOf: URL(fileURLWithPath: lock)).isEmpty
        }
        run.signal(signal)
        #expect(run.wait() == 0)
        try input.fileHandleForWriting.close()
        #expect(holder.wait() == 0)
    }

    @Test("a database that somebody keeps locked is waited for, with the name of that program")
    func locked() throws {
        let koobatch = try Koobatch()
        let daemon = try koobatch.whileLocked { holder in
            let migrated = try koobatch.run(["migrate"])
            #expect(migrated.status == 0, "nothing is to be migrated, so no lock is needed: \(migrated.errors)")
            let daemon = try koobatch.program(["run"])
            try daemon.waitUntilItSays("Waiting for the database, which another program keeps locked")
            let said = try daemon.errors
            #expect(said.contains("sqlite3 (pid \(holder))"), "\(said)")
            #expect(daemon.isRunning)
            return daemon
        }
        try daemon.waitUntilItSays("Started")
        daemon.signal(SIGTERM)
        #expect(daemon.wait() == 0)
    }

    @Test("the environment overrides the file")
    func environment() throws {
        let koobatch = try Koobatch()
        let run = try koobatch.program(["run"], environment: ["KOOBATCH_SUBMIT_CHUNK_SIZE": "0"])
        #expect(run.wait() == 78)
        #expect(try run.errors.contains("submit.chunk_size"))
    }

    @Test(
        "an endpoint that would send the token in the clear or nowhere is refused",
        arguments: [
            "http://koophone.example.com", "ftp://127.0.0.1", "koophone.example.com", "https://user:secret@host",
        ]
    )
    func badEndpoint(endpoint: String) throws {
        let koobatch = try Koobatch()
        let run = try koobatch.program(["run"], environment: ["KOOBATCH_KOOPHONE_ENDPOINT": endpoint])
        #expect(run.wait() == 78)
        #expect(try run.errors.contains("koophone.endpoint"))
        #expect(try !run.errors.contains("secret"))
    }

    @Test("migrate creates the database, is harmless to repeat and refuses what it does not know")
    func migrate() throws {
        let koobatch = try Koobatch()
        let path = koobatch.folder.appending(path: "new.db").path
        func migrate() throws -> (Int32, String) {
            let program = try koobatch.program(["migrate", "--database", path])
            return (program.wait(), try program.output + program.errors)
        }
        #expect(try migrate() == (0, "created \(path), schema version \(Migrations.current)\n"))
        #expect(try migrate() == (0, "\(path) is up to date, schema version \(Migrations.current)\n"))
        let shell = SQLiteShell(database: path)
        try shell.run("PRAGMA user_version = 99;")
        let (status, said) = try migrate()
        #expect(status == 1)
        #expect(said.contains("install a newer koobatch"))
    }

    @Test("a database of an earlier version is upgraded first, and the log says so")
    func upgrade() throws {
        let koobatch = try Koobatch()
        try koobatch.sh("rm koobatch.db*")
        try koobatch.shell.run(Migrations.all[0].sql + "PRAGMA user_version = \(Migrations.oldest);")
        let daemon = try koobatch.start()
        #expect(try koobatch.shell.run("PRAGMA user_version") == "\(Migrations.current)")
        #expect(try koobatch.stop() == 0)
        let said = #""message":"Database upgraded","from":"\#(Migrations.oldest)","to":"\#(Migrations.current)""#
        #expect(try daemon.errors.contains(said))
    }

    @Test("wrong usage ends with the usage status and says how")
    func usage() throws {
        let koobatch = try Koobatch()
        let program = try ChildProcess("koobatch", ["ruin"], in: koobatch.folder)
        #expect(program.wait() == 64)
        #expect(try program.errors.contains("Usage: koobatch"))
    }
}
