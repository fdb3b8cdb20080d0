import Foundation

/// How much there is to read in `.schema`.
enum SchemaSize: Measure {
    static let name = "schema"
    static let abstract = "lines, triggers and indexes of .schema"

    static func figures(_ setup: Setup) throws -> [Figure] {
        let bed = try TestBed(programs: setup.programs)
        defer { bed.tearDown() }
        try bed.migrate()
        let lines = try bed.shell(".schema").split(separator: "\n", omittingEmptySubsequences: false).count
        func count(_ type: String) throws -> Double {
            // An index without a statement belongs to a constraint and is not printed.
            Double(try bed.shell("SELECT count(*) FROM sqlite_schema WHERE type = '\(type)' AND sql IS NOT NULL")) ?? 0
        }
        return [
            Figure(".schema: lines", [Double(lines)], .count, .atMost(900, goal: 600)),
            Figure(".schema: triggers", [try count("trigger")], .count, .atMost(40, goal: 25)),
            Figure(".schema: indexes", [try count("index")], .count, .atMost(16, goal: 12)),
        ]
    }
}
