import Foundation

/// Queries that results cost, and how late they are recorded after the simulator had them.
enum Polling {
    private static let chunks = 100
    private static let intervals = [1.0, 5.0]

    static func measure(longest: Double) throws {
        let bed = try TestBed()
        defer { bed.tearDown() }
        let commands = [0.1, 10, longest].map { (name: "take \($0)", seconds: $0) }
        let durations = commands.map { #""\#($0.name)": {"duration": \#($0.seconds)}"# }.joined(separator: ",")
        try bed.faults(#"{"commands": {\#(durations)}}"#)
        try bed.startDaemon()
        // One after the other: the simulator does not tell whose queries it counts.
        for (index, command) in commands.enumerated() {
            let before = try queries(bed)
            let job = try bed.insert(instances: 32 * chunks, prefix: "p\(index)x", command: command.name)
            try bed.finish(job, within: command.seconds * 2 + 300)
            try report(job, "p\(index)x", lasting: command.seconds, queries: try queries(bed) - before, bed)
        }
    }

    private static func report(
        _ job: Int,
        _ prefix: String,
        lasting seconds: Double,
        queries: Int,
        _ bed: TestBed
    ) throws {
        let begun = try bed.arrivals(of: prefix).reduce(into: [:]) { $0[$1.instance] = Double($1.microseconds) / 1e6 }
        let rows = try bed.shell(
            """
            SELECT instance_id, (julianday(finished_at) - 2440587.5) * 86400.0
              FROM instance_status
             WHERE command_job_id = \(job)
            """
        ).split(separator: "\n").map { $0.split(separator: "|") }
        // A chunk's first instance speaks for the chunk.
        let late = rows.compactMap { row in
            begun[String(row[0])].flatMap { start in Double(row[1]).map { $0 - start - seconds } }
        }.sorted()
        guard late.count == chunks else { throw Failed(description: "only \(late.count) chunks have results") }
        print(
            "command of \(seconds) s: \(perInstance(Double(queries))) queries an instance;",
            "results late by \(milliseconds(late[chunks / 2])) in the median, \(milliseconds(late[chunks - 1])) at most"
        )
        for interval in intervals {
            let asked = max(1, (seconds / interval).rounded(.up))
            print(
                "    every \(interval) s it would be \(perInstance(asked * Double(chunks))),",
                "\((asked * Double(chunks) / Double(queries) * 10).rounded() / 10) times as many;",
                "results late by \(milliseconds(interval / 2)) on average, \(milliseconds(interval)) at most"
            )
        }
    }

    private static func perInstance(_ queries: Double) -> String {
        "\((queries / Double(32 * chunks) * 10_000).rounded() / 10_000)"
    }

    private static func queries(_ bed: TestBed) throws -> Int {
        try bed.counts()["queries_received"] ?? 0
    }
}
