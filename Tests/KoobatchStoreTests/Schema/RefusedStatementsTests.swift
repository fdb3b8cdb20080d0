import Foundation
import TestSupport
import Testing

/// Statements of users that the schema refuses, with what the stock shell prints about each.
@Suite("Refused statements", .database)
struct RefusedStatementsTests {
    /// A database with something of everything.
    private static let full = Result { try TestDatabase.contents(after: Stages.statements) }

    @Test("are refused with a message that names the column, and change nothing", arguments: Self.table)
    func refused(_ refusal: Refusal) throws {
        let database = try TestDatabase(contents: Self.full.get())
        let shell = database.shell
        let outcome = try shell.outcome(
            of: """
                .dump
                .print ---
                .bail off
                \(refusal.statement);
                .dump
                """
        )
        #expect(outcome.errors.contains(refusal.message), "\(outcome.errors)")
        let dumps = outcome.output.components(separatedBy: "---\n")
        try #require(dumps.count == 2)
        #expect(dumps[0] == dumps[1])
        withExtendedLifetime(database) {}
    }

    @Test("undo nothing but themselves inside a transaction of the user")
    func insideTransaction() throws {
        let shell = try TestDatabase.current().shell
        let outcome = try shell.outcome(
            of: """
                .bail off
                BEGIN;
                INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]');
                INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[]');
                COMMIT;
                """
        )
        #expect(outcome.errors.contains("instance_ids: must hold"))
        #expect(try shell.value("SELECT count(*) FROM command_jobs") == "1")
    }

    @Test("of several rows are refused as a whole")
    func severalRows() throws {
        let shell = try TestDatabase.current().shell
        let outcome = try shell.outcome(
            of: "INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"a\"]'), ('id', '[\"a\",\"a\"]');"
        )
        #expect(outcome.errors.contains("instance_ids: the instance ids must be distinct"))
        #expect(try shell.value("SELECT count(*) FROM command_jobs") == "0")
        #expect(try shell.value("SELECT count(*) FROM job_progress") == "0")
    }

    @Test("with more than a million instance ids are refused")
    func tooMany() throws {
        let shell = try TestDatabase.current().shell
        let outcome = try shell.outcome(of: Stages.insert(instances: 1_000_001))
        #expect(outcome.errors.contains("instance_ids: must hold 1 to 1000000 instance ids"))
    }
}

/// A statement and what is printed about it.
struct Refusal: Sendable, CustomTestStringConvertible {
    let statement: String
    let message: String

    var testDescription: String { statement }

    init(_ statement: String, _ message: String) {
        self.statement = statement
        self.message = message
    }

    /// An insert that is right but for the columns given; the later of two values for one column counts.
    static func insert(_ columns: KeyValuePairs<String, String>, _ message: String) -> Refusal {
        var values = ["command": "'id'", "instance_ids": "'[\"a\"]'"]
        for (column, value) in columns { values[column] = value }
        let sorted = values.sorted { $0.key < $1.key }
        return Refusal(
            "INSERT INTO command_jobs (\(sorted.map(\.key).joined(separator: ", "))) "
                + "VALUES (\(sorted.map(\.value).joined(separator: ", ")))",
            message
        )
    }

    static func update(_ change: String, _ message: String) -> Refusal {
        Refusal("UPDATE \(change)", message)
    }
}
