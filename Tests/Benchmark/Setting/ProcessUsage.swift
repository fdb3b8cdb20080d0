import Foundation
import TestSupport

/// What a process has used so far.
struct ProcessUsage {
    /// Of processor time, threads that have ended included; to the nanosecond, where `/proc/PID/stat` has ticks.
    let seconds: Double
    /// How often each living thread left off because it had nothing to do: as often it was woken up.
    private let wakeUps: [String: Int]
    /// The most memory that was resident at once.
    let peakMebibytes: Double

    init(of process: Command?) throws {
        guard let identifier = process?.identifier else { throw Failed(description: "no process") }
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(identifier, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            throw Failed(description: "process \(identifier) has ended")
        }
        seconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        let folder = "/proc/\(identifier)"
        let threads = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/task")
        wakeUps = threads.reduce(into: [:]) { counts, thread in
            // A thread may end between the look at the folder and the look at its file.
            guard let status = Self.text("\(folder)/task/\(thread)/status") else { return }
            counts[thread] = Self.number("voluntary_ctxt_switches", in: status)
        }
        peakMebibytes = Double(Self.text("\(folder)/status").flatMap { Self.number("VmHWM", in: $0) } ?? 0) / 1_024
    }

    /// Wake-ups since an earlier look; of threads that have ended since then it does not know.
    func wakeUps(since earlier: ProcessUsage) -> Int {
        wakeUps.reduce(0) { sum, thread in sum + thread.value - (earlier.wakeUps[thread.key] ?? 0) }
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func number(_ name: String, in status: String) -> Int? {
        status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            .flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst().first }
            .flatMap { Int($0) }
    }
}
