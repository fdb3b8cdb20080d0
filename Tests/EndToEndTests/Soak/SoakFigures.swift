import Foundation
import TestSupport
import Testing

/// What a daemon needs at a moment at which nothing is left to be done.
struct SoakFigures {
    let seconds: Int
    let requests: Int
    /// Resident memory of the daemon in KiB.
    let memory: Int
    let descriptors: Int
    let threads: Int
    /// Bytes of the database and of its write-ahead log.
    let database: Int
    let log: Int
    /// Bytes that the daemons have logged so far.
    let logged: Int
    /// Milliseconds from an insert to its request, in order.
    let latencies: [Double]

    var latency: Double { latencies[latencies.count / 2] }

    /// Measures the daemon of a koobatch.
    init(_ koobatch: Koobatch, seconds: Int, requests: Int, latencies: [Double]) throws {
        let process = "/proc/\(try #require(koobatch.daemon).identifier)"
        let status = try String(contentsOfFile: process + "/status", encoding: .utf8)
        func number(_ name: String) -> Int {
            status.split(separator: "\n").first { $0.hasPrefix(name) }?.split(whereSeparator: \.isWhitespace)
                .dropFirst().first.flatMap { Int($0) } ?? 0
        }
        func size(_ path: String) -> Int {
            var facts = stat()
            return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
        }
        self.seconds = seconds
        self.requests = requests
        memory = number("VmRSS:")
        threads = number("Threads:")
        descriptors = try FileManager.default.contentsOfDirectory(atPath: process + "/fd").count
        database = size(koobatch.shell.database)
        log = size(koobatch.shell.database + "-wal")
        logged = try FileManager.default.contentsOfDirectory(atPath: koobatch.folder.path)
            .filter { $0.hasPrefix("koobatch-") && $0.hasSuffix(".err") }
            .map { size(koobatch.secretFile($0)) }.reduce(0, +)
        self.latencies = latencies.sorted()
    }

    /// What has grown since an earlier moment of the same daemon.
    func complaints(since first: SoakFigures) -> [String] {
        var complaints: [String] = []
        func expect(_ name: String, _ value: Int, atMost limit: Int) {
            if value > limit { complaints.append("\(name): \(value), more than \(limit)") }
        }
        expect("memory in KiB", memory, atMost: first.memory + first.memory / 2 + 20_480)
        expect("descriptors", descriptors, atMost: first.descriptors + 40)
        expect("bytes of the write-ahead log", log, atMost: 8 << 20)
        expect("bytes logged of a request", (logged - first.logged) / max(1, requests - first.requests), atMost: 4_096)
        expect("milliseconds from insert to request", Int(latency), atMost: max(500, 5 * Int(first.latency)))
        return complaints
    }

    /// A line for each, but of many only some.
    static func table(_ figures: [SoakFigures]) -> String {
        let step = max(1, (figures.count - 1) / 10)
        let rows = figures.enumerated().filter { $0.offset % step == 0 || $0.offset == figures.count - 1 }
        let head = [
            "seconds", "requests", "RSS KiB", "fds", "threads", "db KiB", "WAL KiB", "logged KiB", "p50 ms", "max ms",
        ]
        let lines = rows.map { _, row in
            [
                row.seconds, row.requests, row.memory, row.descriptors, row.threads, row.database / 1_024,
                row.log / 1_024, row.logged / 1_024,
            ].map { "\($0)" }
                + [row.latency, row.latencies.last ?? 0].map { String(format: "%.1f", $0) }
        }
        return ([head] + lines).map { cells in
            cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
        }.joined(separator: "\n")
    }
}
