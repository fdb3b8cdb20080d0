import Foundation
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@testable import koobatch

/// The manual lists what the program has, and nothing else.
///
/// Its metrics are held against those of a daemon: see `MetricsTests`.
@Suite("The manual")
struct ManualTests {
    private let program: ManualPage
    private let database: ManualPage
    private let directory: TemporaryDirectory
    private let shell: SQLiteShell

    init() throws {
        program = try ManualPage("koobatch.1")
        database = try ManualPage("koobatch.db.5")
        directory = try TemporaryDirectory()
        shell = SQLiteShell(database: directory.path("koobatch.db"))
        try Store.migrate(path: directory.path("koobatch.db"))
    }

    // MARK: koobatch.db(5)

    private func objects() throws -> [String] {
        try shell.rows(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
        ).map { $0[0] }
    }

    @Test("has every column of every table and view that is not internal, and no other")
    func columns() throws {
        let objects = Set(try objects())
        let description = try #require(database.section("DESCRIPTION")).text
        let documented = database.sections.map(\.title).filter(objects.contains)
        for name in objects where !documented.contains(name) {
            #expect(description.contains(name), "\(name) has no section and is not named as internal")
        }
        for name in documented {
            let names = try #require(database.section(name)).names
            let columns = try shell.rows("SELECT name FROM pragma_table_xinfo('\(name)')").map { $0[0] }
            #expect(Set(names) == Set(columns) && names.count == columns.count, "\(name): \(names) \(columns)")
        }
        let titles = ["command_jobs", "chunks", "attempts", "error_policies"]
        let views = ["job_status", "instance_status", "task_map", "outputs", "why", "daemon"]
        #expect(Set(documented).isSuperset(of: titles + views))
        // What is lower case is the name of a table or view.
        #expect(database.sections.allSatisfy { $0.title.first?.isUppercase == true || objects.contains($0.title) })
    }

    @Test("has the defaults of command_jobs")
    func defaults() throws {
        let section = try #require(database.section("command_jobs"))
        let columns = try shell.rows(
            "SELECT name, trim(dflt_value, '''') FROM pragma_table_info('command_jobs') WHERE dflt_value NOT LIKE '%(%'"
        )
        #expect(columns.count >= 4)
        for entry in section.entries {
            let standard = columns.first { entry.names == [$0[0]] }.map { "The default is \($0[1])." }
            #expect(entry.text.contains("The default is") == (standard != nil), "\(entry.names)")
            if let standard { #expect(entry.text.hasSuffix(standard), "\(entry.names)") }
        }
    }

    @Test("has every state, outcome and action")
    func words() throws {
        func names(_ title: String) throws -> [String] { try #require(database.section(title)).names }
        #expect(try names("Command jobs") == CommandJobState.allCases.map(\.rawValue))
        #expect(try names("Chunks") == ChunkState.allCases.map(\.rawValue))
        #expect(try names("Instances") == InstanceState.allCases.map(\.rawValue))
        #expect(try names("OUTCOMES") == ["accepted"] + ServiceFailure.Outcome.allCases.map(\.rawValue))
        #expect(try names("Actions") == ErrorAction.allCases.map(\.rawValue))
    }

    @Test("has every error code of koobatch's own")
    func codes() throws {
        let source = ManualPage.root.appending(path: "Sources/KoobatchCore/Answers/ServiceFailure.swift")
        let codes = try String(contentsOf: source, encoding: .utf8).matches(of: #/= "(koobatch\.[a-z_]+)"/#)
            .map { String($0.output.1) }
        #expect(codes.count > 5)
        #expect(Set(try #require(database.section("ERROR CODES")).names) == Set(codes))
    }

    @Test("has the error policies of a new database, with their actions")
    func policies() throws {
        let rows = try shell.rows("SELECT code, action, note FROM error_policies ORDER BY code")
        let entries = try #require(database.section("Codes")).entries
        #expect(entries.flatMap(\.names) == rows.map { $0[0] })
        let page = try String(contentsOf: ManualPage.root.appending(path: "etc/man/koobatch.db.5"), encoding: .utf8)
        for row in rows { #expect(page.contains(".BR \(row[0]) \" \(row[1])\"\n"), "\(row)") }
    }

    @Test("has every blocker of why")
    func blockers() throws {
        let sql = try shell.outcome(of: "SELECT sql FROM sqlite_schema WHERE name = 'why'").output
        // The words of CASE … END AS blocker that nothing is compared with, and those of single rows.
        let choice = sql.split(separator: "blockers AS (").last?.split(separator: "AS blocker").first ?? ""
        let words = choice.matches(of: /(= |<> )?'([a-z_]+)'/).filter { $0.output.1 == nil }.map { $0.output.2 }
        let rows = sql.matches(of: /SELECT [a-z]\.command_job_id, [^,\n]*, '([a-z_]+)'/).map { $0.output.1 }
        let blockers = Set((words + rows).map(String.init))
        #expect(blockers.count > 10)
        #expect(Set(try #require(database.section("BLOCKERS")).names) == blockers)
    }

    @Test("has examples that work")
    func examples() throws {
        let source = try String(contentsOf: ManualPage.root.appending(path: "etc/man/koobatch.db.5"), encoding: .utf8)
        try "p1\np2\n".write(toFile: directory.path("phones.txt"), atomically: true, encoding: .utf8)
        let examples = source.split(separator: ".SH EXAMPLES").last ?? ""
        let statements = examples.matches(of: /(?s)\.EX\n(.*?)\.EE/).map { match in
            String(match.output.1).replacing(#"\(aq"#, with: "'").replacing(#"\-"#, with: "-")
                .replacing("phones.txt", with: directory.path("phones.txt"))
        }
        #expect(statements.count == 3)
        for statement in statements { try shell.rows(statement) }
        let jobs = try shell.rows("SELECT total, command FROM job_status ORDER BY id")
        #expect(jobs == [["2", "reboot"], ["1", "reboot"]])
    }

    // MARK: koobatch(1)

    @Test("has every subcommand with all its options, and no other")
    func options() throws {
        let binary = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
            .appending(path: "koobatch").path
        let help = try Command.run([binary, "--experimental-dump-help"])
        let root = try JSONDecoder().decode(DumpedHelp.self, from: Data(help.output.utf8)).command
        let subcommands = try #require(root.subcommands)
        let start = try #require(program.sections.firstIndex { $0.title == "SUBCOMMANDS" })
        let end = try #require(program.sections.firstIndex { $0.title == "OPTIONS" })
        #expect(Set(program.sections[start + 1..<end].map(\.title)) == Set(subcommands.map(\.commandName)))
        let common = try #require(program.section("OPTIONS"))
        let withoutJSON = try #require(common.entries.first { $0.names == ["--json"] }).text
        for subcommand in subcommands where subcommand.commandName != "help" {
            let entries = try #require(program.section(subcommand.commandName)).entries
            let own = entries.flatMap(\.names)
            let all = Set(subcommand.options)
            let hasJSON = !withoutJSON.matches(of: /[a-z]+/).contains { $0.output == subcommand.commandName }
            let expected = Set(own).union(common.names).subtracting(hasJSON ? [] : ["--json"])
            #expect(all == expected, "\(subcommand.commandName): \(all.symmetricDifference(expected).sorted())")
            #expect(Set(own).isDisjoint(with: common.names), "\(subcommand.commandName)")
            for argument in subcommand.arguments ?? [] {
                let text = entries.first { !Set($0.names).isDisjoint(with: argument.options) }?.text ?? ""
                for value in argument.allValues ?? [] { #expect(text.contains(value), "\(argument.options) \(value)") }
                if let value = argument.defaultValue {
                    #expect(text.contains("The default is \(value)."), "\(argument.options) \(value)")
                }
            }
        }
    }

    /// What ArgumentParser tells of itself.
    private struct DumpedHelp: Decodable {
        let command: Command

        struct Command: Decodable {
            let commandName: String
            let subcommands: [Command]?
            let arguments: [Argument]?

            var options: [String] { (arguments ?? []).flatMap(\.options) }
        }

        struct Argument: Decodable {
            let kind: String
            let names: [Name]?
            let defaultValue: String?
            let allValues: [String]?

            /// Long and short names with their dashes; none of a positional argument.
            var options: [String] {
                kind == "positional" ? [] : (names ?? []).map { ($0.kind == "short" ? "-" : "--") + $0.name }
            }
        }

        struct Name: Decodable {
            let kind: String
            let name: String
        }
    }

    @Test("has every exit status")
    func statuses() throws {
        // 64: EX_USAGE, of ArgumentParser; 130 and 143: SIGINT and SIGTERM.
        let statuses = [0, 64, 130, 143] + Failure.Code.allCases.map { Int($0.rawValue) }
        #expect(Set(try #require(program.section("EXIT STATUS")).names) == Set(statuses.map { "\($0)" }))
    }

    // MARK: koobatch.yaml(5)

    @Test("has every key of the configuration, with its default and whether a change needs a restart")
    func keys() throws {
        let entries = try #require(ManualPage("koobatch.yaml.5").section("KEYS")).entries
        let names = entries.flatMap(\.names)
        #expect(Set(names) == Set(SettingsKey.all.map(\.name)) && names.count == SettingsKey.all.count)
        for key in SettingsKey.all {
            let text = try #require(entries.first { $0.names == [key.name] }).text
            #expect(text.contains("The default is") == (key.standard != nil), "\(key.name)")
            if let standard = key.standard { #expect(text.hasSuffix("The default is \(standard)."), "\(key.name)") }
            #expect(text.contains("A change needs a restart.") == (key.change == .restart), "\(key.name)")
        }
    }
}
