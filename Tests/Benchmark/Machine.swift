import Foundation
import TestSupport

/// Where the figures come from.
struct Machine: Encodable {
    let measuredAt: String
    let koobatch: String
    let sqlite: String
    let kernel: String
    let processor: String
    let cores: Int
    let memoryMiB: Int
    /// Of the minute before: more than a small part of a core means that other programs disturb the figures.
    let loadAverage: Double
    /// What the disk under the databases takes to make 4 KiB durable, in milliseconds: the median of 50.
    let syncMilliseconds: Double

    init(programs: URL) throws {
        measuredAt = Date.now.formatted(.iso8601)
        koobatch = try Self.firstLine([programs.appending(path: "koobatch").path, "--version"])
        sqlite = try Self.firstLine(["sqlite3", "--version"]).prefix { $0 != " " }.description
        kernel = try Self.firstLine(["uname", "-sr"])
        let information = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8).split(separator: "\n")
        let model = information.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        processor = model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        cores = ProcessInfo.processInfo.activeProcessorCount
        memoryMiB = Int(ProcessInfo.processInfo.physicalMemory >> 20)
        var averages = [0.0]
        loadAverage = getloadavg(&averages, 1) == 1 ? averages[0] : 0
        syncMilliseconds = try Self.syncSeconds() * 1_000
    }

    var lines: [String] {
        [
            "koobatch \(koobatch), SQLite \(sqlite), \(kernel), \(cores) cores of \(processor), \(memoryMiB) MiB",
            "\(measuredAt); load average before \(digits(loadAverage)); making 4 KiB durable takes "
                + "\(digits(syncMilliseconds)) ms",
        ]
    }

    private static func firstLine(_ arguments: [String]) throws -> String {
        try Command.run(arguments).output.split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    private static func syncSeconds() throws -> Double {
        let file = FileManager.default.temporaryDirectory.appending(path: "koobatch-bench-\(UUID().uuidString)")
        try Data().write(to: file)
        defer { unlink(file.path) }
        let handle = try FileHandle(forWritingTo: file)
        let page = Data(repeating: 1, count: 4_096)
        return try (0..<50).map { _ in
            let begin = ContinuousClock.now
            try handle.write(contentsOf: page)
            fdatasync(handle.fileDescriptor)
            return begin.duration(to: .now) / .seconds(1)
        }.quantile(0.5) ?? 0
    }
}

extension ContinuousClock.Instant {
    /// Blocks the thread until then: what is measured is a user who does something at this moment.
    func wait() {
        Thread.sleep(forTimeInterval: max(0, ContinuousClock.now.duration(to: self) / .seconds(1)))
    }
}
