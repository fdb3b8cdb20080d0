import Foundation
import Synchronization

/// What came of the runs, by scenario, `on_unknown`, step and loss.
final class CrashMatrix: Sendable {
    /// One row.
    struct Cell: Hashable {
        let scenario: String
        let onUnknown: String
        let step: String
        let loss: String
    }

    /// The sums of a row.
    struct Sums {
        var runs = 0
        /// Runs in which the place was come by.
        var stopped = 0
        var lost = 0
        var repeated = 0
        var repeatedBehindUnknown = 0

        static func + (one: Sums, other: Sums) -> Sums {
            Sums(
                runs: one.runs + other.runs,
                stopped: one.stopped + other.stopped,
                lost: one.lost + other.lost,
                repeated: one.repeated + other.repeated,
                repeatedBehindUnknown: one.repeatedBehindUnknown + other.repeatedBehindUnknown
            )
        }
    }

    private let sums = Mutex<[Cell: Sums]>([:])
    private let ended = Mutex(0)

    func add(_ verdict: CrashVerdict, isStopped: Bool, to cell: Cell) {
        let one = Sums(
            runs: 1,
            stopped: isStopped ? 1 : 0,
            lost: verdict.lost.count,
            repeated: verdict.repeated,
            repeatedBehindUnknown: verdict.repeatedBehindUnknown
        )
        sums.withLock { $0[cell, default: Sums()] = $0[cell, default: Sums()] + one }
    }

    /// Prints the rows of a scenario that is through, and after the last of all the sums by step and by `on_unknown`.
    func finish(_ scenario: String, _ onUnknown: String, of scenarios: Int) {
        let isLast = ended.withLock { ended in
            ended += 1
            return ended == scenarios
        }
        var lines = [Self.header] + rows { $0.scenario == scenario && $0.onUnknown == onUnknown ? $0 : nil }
        if isLast {
            lines += [Self.header]
            lines += rows { Cell(scenario: "each", onUnknown: "each", step: $0.step, loss: $0.loss) }
            lines += rows { Cell(scenario: $0.scenario, onUnknown: $0.onUnknown, step: "each", loss: "each") }
            lines += rows { Cell(scenario: "each", onUnknown: $0.onUnknown, step: "each", loss: "each") }
            lines += rows { _ in Cell(scenario: "each", onUnknown: "each", step: "each", loss: "each") }
        }
        print(lines.joined(separator: "\n"))
        fflush(nil)
    }

    /// The sums of the cells that go into the same row.
    private func rows(_ row: (Cell) -> Cell?) -> [String] {
        let cells = sums.withLock { $0 }.compactMap { cell, sums in row(cell).map { ($0, sums) } }
        return Dictionary(cells, uniquingKeysWith: +)
            .sorted {
                ($0.key.scenario, $0.key.onUnknown, $0.key.step, $0.key.loss)
                    < ($1.key.scenario, $1.key.onUnknown, $1.key.step, $1.key.loss)
            }
            .map { Self.line("\($0.key.scenario), \($0.key.onUnknown)", $0.key.step, $0.key.loss, $0.value) }
    }

    private static let header = line(
        "scenario, on_unknown",
        "step",
        "loss",
        "runs",
        "stopped",
        "lost",
        "repeated",
        "behind unknown"
    )

    private static func line(_ name: String, _ step: String, _ loss: String, _ sums: Sums) -> String {
        let numbers = [sums.runs, sums.stopped, sums.lost, sums.repeated, sums.repeatedBehindUnknown].map(String.init)
        return line(name, step, loss, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    }

    private static func line(_ columns: String...) -> String {
        zip(columns, [34, 22, 6, 6, 8, 6, 9, 15]).map { text, width in
            text + String(repeating: " ", count: max(1, width - text.count))
        }.joined()
    }
}
