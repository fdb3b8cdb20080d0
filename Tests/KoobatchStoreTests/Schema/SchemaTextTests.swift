import TestSupport
import Testing

/// `.schema` as documentation: what the shell prints is what people read.
@Suite("The schema as text", .database)
struct SchemaTextTests {
    private let shell: SQLiteShell

    init() throws {
        shell = try TestDatabase.current().shell
    }

    /// A line that explains, and what it explains.
    private struct Lines {
        let lines: [String]

        init(_ sql: String) {
            lines = sql.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                String(line.drop { $0 == " " })
            }
        }

        /// Whether the column's own line has a comment, or the line above it is one.
        func explains(_ column: String) -> Bool {
            lines.indices.contains { index in
                guard lines[index].hasPrefix(column + " ") else { return false }
                return lines[index].contains(" -- ") || (index > 0 && lines[index - 1].hasPrefix("-- "))
            }
        }
    }

    private func tables() throws -> [String] {
        try shell.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name;"
        ).map { $0[0] }
    }

    private func sql(_ name: String) throws -> String {
        try shell.outcome(of: "SELECT sql FROM sqlite_schema WHERE name = '\(name)';").output
    }

    @Test("has a comment for every column of every table")
    func columns() throws {
        let tables = try tables()
        #expect(tables.count >= 8)
        for table in tables {
            let lines = Lines(try sql(table))
            let columns = try shell.rows("SELECT name FROM pragma_table_xinfo('\(table)');").map { $0[0] }
            #expect(!columns.isEmpty)
            let silent = columns.filter { !lines.explains($0) }
            #expect(silent.isEmpty, "columns of \(table) without a comment: \(silent)")
        }
    }

    @Test("tells a column with a comment from one without")
    func detection() {
        let lines = Lines(
            """
            CREATE TABLE t (
                -- What a is.
                a INTEGER,
                b INTEGER,
                c INTEGER, -- What c is.
                d INTEGER
            )
            """
        )
        #expect(["a", "b", "c", "d"].map(lines.explains) == [true, false, true, false])
    }

    @Test("has a comment at the head of every table and view")
    func heads() throws {
        let names = try shell.rows(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%';"
        )
        for name in names.map({ $0[0] }) {
            let lines = Lines(try sql(name)).lines
            #expect(lines.dropFirst().first?.hasPrefix("-- ") == true, "\(name)")
        }
    }

    @Test("is short enough to be read")
    func size() throws {
        // As wc -l counts.
        #expect(try shell.outcome(of: ".schema").output.count { $0 == "\n" } <= 900)
        let counts = try shell.rows(
            """
            SELECT (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'),
                   (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL);
            """
        )[0].compactMap { Int($0) }
        try #require(counts.count == 2)
        #expect(counts[0] <= 40, "triggers")
        #expect(counts[1] <= 16, "indexes")
    }

    @Test("names every rule of a table that people write with the column and a sentence")
    func checks() throws {
        for table in ["command_jobs", "chunks", "attempts", "error_policies"] {
            let sql = try sql(table)
            let columns = try shell.rows("SELECT name FROM pragma_table_info('\(table)');").map { $0[0] } + ["counts"]
            let checks = sql.ranges(of: "CHECK (").count
            let names = sql.matches(of: #/CONSTRAINT "([^"]*)"/#).map { String($0.output.1) }
            #expect(checks == names.count, "\(table) has \(checks) CHECKs and \(names.count) names")
            for name in names {
                let parts = name.split(separator: ": ", maxSplits: 1).map(String.init)
                #expect(parts.count == 2, "\(name)")
                let named = (parts.first ?? "").split(separator: ", ").map(String.init)
                #expect(!named.isEmpty && named.allSatisfy(columns.contains), "\(name)")
                #expect((parts.last ?? "").contains(" "), "\(name) says too little")
            }
        }
    }

    @Test("keeps every name that people rely on in lower case words")
    func names() throws {
        let names = try shell.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%';").map { $0[0] }
        #expect(names.allSatisfy { $0.wholeMatch(of: #/[a-z]+(_[a-z]+)*/#) != nil }, "\(names)")
    }
}
