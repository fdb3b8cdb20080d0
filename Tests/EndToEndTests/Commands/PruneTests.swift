import TestSupport
import Testing

@Suite("koobatch prune on a terminal", .programs)
struct PruneTests {
    /// A database with one job that finished long ago.
    private func commandLine() throws -> CommandLine {
        let line = try CommandLine()
        try line.shell.run(
            """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a","b"]');
            UPDATE command_jobs SET state = 'cancelled';
            """
        )
        return line
    }

    private func jobs(_ line: CommandLine) throws -> String {
        try line.shell.run("SELECT count(*) FROM command_jobs")
    }

    @Test("asks, and deletes after a yes only", arguments: ["n", "", "yess", "y", "YES"])
    func asks(answer: String) throws {
        let line = try commandLine()
        let screen = try line.show("prune --older-than 0s", columns: 120, input: "\(answer)\n")
        #expect(screen.contains("delete 1 job with 2 instances that finished before "), "\(screen)")
        let isYes = ["y", "yes"].contains(answer.lowercased())
        #expect(screen.contains(isYes ? "deleted 1 job" : "nothing is deleted"), "\(screen)")
        #expect(try jobs(line) == (isYes ? "0" : "1"))
    }

    @Test("does not ask where it is told so, where nothing is to be deleted, or where it only looks")
    func doesNotAsk() throws {
        let line = try commandLine()
        #expect(try !line.show("prune --older-than 0s --dry-run", columns: 120).contains("[y/N]"))
        #expect(try !line.show("prune --older-than 1000d", columns: 120).contains("[y/N]"))
        #expect(try jobs(line) == "1")
        #expect(try !line.show("prune --older-than 0s -y", columns: 120).contains("[y/N]"))
        #expect(try jobs(line) == "0")
    }

    @Test("refuses a number without a unit and says what to write", arguments: ["7", "0", "1.5"])
    func unit(text: String) throws {
        let line = try commandLine()
        let outcome = try line.run(["prune", "--older-than", text, "--yes"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("a unit is required: \(text)d is days, \(text)h is hours"), "\(outcome.errors)")
        #expect(try jobs(line) == "1")
    }
}
