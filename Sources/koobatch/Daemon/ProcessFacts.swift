import Foundation
import KoobatchCore
import PrometheusText

/// What the system knows of this process.
///
/// Named after koobatch: node_exporter, which reads the file, has `process_…` of its own and takes no name twice.
enum ProcessFacts {
    static func families(startedAt: Timestamp) -> [MetricFamily] {
        var used = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        let cpu = Double(used.tv_sec) + Double(used.tv_nsec) / 1e9
        var families = [
            MetricFamily(
                "koobatch_process_cpu_seconds_total",
                .counter,
                help: "Processor time that the daemon has used.",
                value: cpu
            ),
            MetricFamily(
                "koobatch_process_start_time_seconds",
                .gauge,
                help: "When the daemon started, in seconds since 1970.",
                value: Double(startedAt.millisecondsSinceEpoch) / 1_000
            ),
        ]
        if let bytes = residentBytes {
            families.append(
                MetricFamily(
                    "koobatch_process_resident_memory_bytes",
                    .gauge,
                    help: "Memory of the daemon that is in RAM.",
                    value: bytes
                )
            )
        }
        return families
    }

    /// `proc(5)`: the second number of statm is the resident set in pages.
    private static var residentBytes: Double? {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return nil }
        let numbers = String(decoding: data, as: UTF8.self).split(separator: " ")
        guard numbers.count > 1, let pages = Double(numbers[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }
}
