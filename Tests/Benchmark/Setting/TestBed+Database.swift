import Foundation
import TestSupport

extension TestBed {
    /// The stock shell, with a busy_timeout in milliseconds; a user's is 0.
    private func arguments(patience: Int) -> [String] {
        ["sqlite3", "-batch", "-bail"] + (patience > 0 ? ["-cmd", ".timeout \(patience)"] : []) + [database]
    }

    /// Runs statements in the sqlite3 shell and returns what it prints.
    @discardableResult
    func shell(_ statements: String, patience: Int = 5_000) throws -> String {
        let outcome = try Command.run(arguments(patience: patience), input: statements)
        guard outcome.status == 0 else { throw Failed(description: outcome.errors) }
        return outcome.output.trimmingCharacters(in: .newlines)
    }

    /// Whether a query prints 1.
    func holds(_ query: String) throws -> Bool {
        try shell(query) == "1"
    }

    /// How long a query takes in the shell, by the shell's own timer, in seconds.
    func time(_ query: String) throws -> Double {
        let printed = try shell(".timer on\n.output /dev/null\n\(query);\n.output\n")
        let line = printed.split(separator: "\n").first { $0.hasPrefix("Run Time: real") }
        let fields = line?.split(separator: " ") ?? []
        guard fields.count > 3, let seconds = Double(fields[3]) else {
            throw Failed(description: "no time: \(printed)")
        }
        return seconds
    }

    /// A user's INSERT of a job, with instances named by number.
    static func insert(
        instances: Int,
        prefix: String,
        command: String = "ls",
        column: String = "label",
        value: String = "''"
    ) -> String {
        let ids = (0..<instances).map { "\"\(prefix)\($0)\"" }.joined(separator: ",")
        return "INSERT INTO command_jobs (command, instance_ids, \(column)) VALUES ('\(command)', '[\(ids)]', \(value))"
    }

    /// Inserts a job of instances named by number and returns its id.
    @discardableResult
    func insert(
        instances: Int,
        prefix: String = "i",
        command: String = "ls",
        column: String = "label",
        value: String = "''",
        patience: Int = 5_000
    ) throws -> Int {
        let statement = Self.insert(
            instances: instances,
            prefix: prefix,
            command: command,
            column: column,
            value: value
        )
        let printed = try shell("\(statement) RETURNING id;", patience: patience)
        guard let id = Int(printed) else { throw Failed(description: printed) }
        return id
    }

    /// Inserts a job and returns when the shell knew that it was committed, in microseconds since 1970.
    ///
    /// The shell prints a word after the commit, which `stdbuf` lets through at once.
    func timeOfCommit(_ statement: String) throws -> Int64 {
        let pipe = Pipe.notInherited()
        let shell = try Command(
            ["stdbuf", "--output=0"] + arguments(patience: 5_000) + [statement, "SELECT 'committed'"],
            output: pipe.fileHandleForWriting.fileDescriptor
        )
        try pipe.fileHandleForWriting.close()
        let first = try pipe.fileHandleForReading.read(upToCount: 1)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        _ = try pipe.fileHandleForReading.readToEnd()
        guard shell.wait() == 0, first?.isEmpty == false else {
            throw Failed(description: "refused: \(statement.prefix(80))")
        }
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
    }

    /// Waits until a job has finished, and looks seldom: opening the database disturbs what is measured.
    ///
    /// - Returns: the seconds from the insert to the end.
    @discardableResult
    func finish(_ job: Int, within seconds: Double = 1_800) throws -> Double {
        let duration = "(julianday(finished_at) - julianday(created_at)) * 86400.0"
        var found: Double?
        try wait(for: seconds, every: 0.5) {
            found = Double(try shell("SELECT \(duration) FROM command_jobs WHERE id = \(job)"))
            return found != nil
        }
        return found ?? 0
    }
}
