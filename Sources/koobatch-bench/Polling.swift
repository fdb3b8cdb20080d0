import Foundation

/// Queries that results cost, and how late they are recorded after the simulator had them.
enum Polling {
    private static let chunks = 100
    private static let intervals = [1.0, 5.0]

    /// A line of the simulator's journal.
    private struct Entry: Decodable {
        let at: String
        let task_id: String?
    }

    static func measure(longest: Double) throws {
        let bed = try TestBed()
        defer { bed.tearDown() }
        let commands = [0.1, 10, longest].map { (name: "take \($0)", seconds: $0) }
        let durations = commands.map { #""\#($0.name)": {"duration": \#($0.seconds)}"# }.joined(separator: ",")
        try bed.control("-X", "PUT", "-d", #"{"commands": {\#(durations)}}"#, "/sim/faults")
        try bed.startDaemon()
        let jobs = try commands.enumerated().map { index, command in
            try bed.insert(instances: 32 * chunks, prefix: "p\(index)x", command: command.name)
        }
        try bed.wait(for: longest * 2 + 300) {
            try bed.shell("SELECT count(*) = 0 FROM command_jobs WHERE finished_at IS NULL") == "1"
        }
        let begun = try submissions(bed)
        for (job, command) in zip(jobs, commands) {
            try report(job, lasting: command.seconds, begun, bed)
        }
    }

    private static func report(_ job: Int, lasting seconds: Double, _ begun: [String: Double], _ bed: TestBed) throws {
        let rows = try bed.shell(
            """
            SELECT task_id, polls, (julianday(finished_at) - 2440587.5) * 86400.0
              FROM chunks
             WHERE command_job_id = \(job)
            """
        ).split(separator: "\n").map { $0.split(separator: "|") }
        let late = rows.compactMap { row in
            begun[String(row[0])].flatMap { start in Double(row[2]).map { $0 - start - seconds } }
        }.sorted()
        let queries = rows.compactMap { Int($0[1]) }.reduce(0, +)
        guard late.count == chunks else { throw TestBed.Failed(description: "only \(late.count) chunks have results") }
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

    /// When the simulator accepted each task, in Unix time.
    private static func submissions(_ bed: TestBed) throws -> [String: Double] {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return try bed.control("/sim/journal").split(separator: "\n").reduce(into: [:]) { times, line in
            let entry = try JSONDecoder().decode(Entry.self, from: Data(line.utf8))
            if let task = entry.task_id { times[task] = try style.parse(entry.at).timeIntervalSince1970 }
        }
    }
}
