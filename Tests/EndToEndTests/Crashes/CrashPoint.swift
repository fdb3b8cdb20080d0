import Foundation
import TestSupport
import Testing

/// A place in the work of a program at which it is stopped, and what is lost with it.
struct CrashPoint: Hashable, CustomStringConvertible {
    /// On which side of the step.
    enum Moment: String, CaseIterable {
        case before
        case after
    }

    /// What does not survive.
    enum Loss: String, CaseIterable {
        /// The process alone, as by `kill -9`.
        case kill
        /// Everything that was not synced: contents, truncations, names.
        case power
        /// A random part of what was not synced, by sectors.
        case torn
    }

    /// What the program does there, such as `log-commit` or `submit-write`; see `crash_points.c`.
    let step: String
    let moment: Moment
    /// The how manyeth time.
    let number: Int
    let loss: Loss

    var description: String { "\(loss) \(moment) \(step) \(number)" }

    /// Every place in a run whose steps were counted.
    static func all(of counts: [String: Int]) -> [CrashPoint] {
        counts.sorted { $0.key < $1.key }.flatMap { step, count in
            (1...count).flatMap { number in kinds(of: step) { number } }
        }
    }

    /// Before and after each step, with each loss: once, the how manyeth time by chance.
    static func each(of counts: [String: Int], using generator: inout SeededGenerator) -> [CrashPoint] {
        counts.sorted { $0.key < $1.key }.flatMap { step, count in
            kinds(of: step) { Int.random(in: 1...count, using: &generator) }
        }
    }

    private static func kinds(of step: String, number: () -> Int) -> [CrashPoint] {
        Moment.allCases.flatMap { moment in
            Loss.allCases.map { CrashPoint(step: step, moment: moment, number: number(), loss: $0) }
        }
    }

    /// Around every promise: what is sent is known, and what is answered is kept.
    private static let mainSteps: Set = ["log-commit", "log-sync", "submit-write", "submit-read"]

    /// So many places by chance: half of them at the main steps, and each step as often as another one.
    static func some(_ count: Int, of counts: [String: Int], using generator: inout SeededGenerator) -> [CrashPoint] {
        let kinds = Set(all(of: counts).map { CrashPoint(step: $0.step, moment: $0.moment, number: 0, loss: $0.loss) })
            .sorted { $0.description < $1.description }.shuffled(using: &generator)
        var times: [String: Int] = [:]
        let turns = kinds.map { kind in
            defer { times[kind.step, default: 0] += 1 }
            return (kind: kind, turn: times[kind.step, default: 0])
        }.sorted { $0.turn < $1.turn }.map(\.kind)
        let main = turns.filter { mainSteps.contains($0.step) }
        let others = turns.filter { !mainSteps.contains($0.step) }
        return (0..<count).map { index in
            let group = index % 2 == 0 && !main.isEmpty ? main : others
            let kind = group[(main.isEmpty ? index : index / 2) % group.count]
            let number = Int.random(in: 1...(counts[kind.step] ?? 1), using: &generator)
            return CrashPoint(step: kind.step, moment: kind.moment, number: number, loss: kind.loss)
        }
    }
}

/// The library that stops a program at a place, and says how often a run comes by each.
enum CrashLibrary {
    private static let folder = Result { try TemporaryDirectory() }
    private static let path = Result {
        let library = try folder.get().path("crash_points.so")
        try PreloadedLibrary.build(PreloadedLibrary.source("Crashes/crash_points.c"), to: library)
        return library
    }

    /// Variables for a program on the database in a folder.
    ///
    /// - Parameters:
    ///   - point: where to stop it; `nil` nowhere.
    ///   - platter: where to keep what is on the disk.
    ///   - counts: where to write how often it came by each step.
    static func environment(
        folder: URL,
        point: CrashPoint? = nil,
        platter: Platter? = nil,
        counts: URL? = nil
    ) throws -> [String: String] {
        var variables = ["LD_PRELOAD": try path.get(), "CRASH_FOLDER": folder.path]
        if let point { variables["CRASH_POINT"] = "\(point.step):\(point.moment):\(point.number)" }
        variables["CRASH_PLATTER"] = platter?.url.path
        variables["CRASH_COUNTS"] = counts?.path
        return variables
    }

    /// What a program that ended by itself has counted.
    static func counts(_ file: URL) throws -> [String: Int] {
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: " ")
        }
        return Dictionary(uniqueKeysWithValues: try lines.map { (String($0[0]), try #require(Int($0[1]))) })
    }
}
