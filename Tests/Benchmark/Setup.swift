import Foundation
import TestSupport

/// What all measures share: which programs, and how long.
struct Setup {
    /// The folder of the programs that are measured.
    let programs: URL
    /// The folder of an earlier build, to be measured in turn with them.
    let baseline: URL?
    let options: Options
    let peers: Peers

    /// How long to measure.
    struct Options: Encodable {
        let repetitions: Int
        /// Shorter runs of smaller jobs: to see that everything works, not to compare figures.
        let isQuick: Bool
    }

    var repetitions: Int { options.repetitions }

    /// A number for a full run, or the other for a quick one.
    func pick<Value>(_ full: Value, quick: Value) -> Value {
        options.isQuick ? quick : full
    }

    /// Tells on standard error how far it is.
    func progress(_ text: String) {
        FileHandle.standardError.write(Data("  \(text)\n".utf8))
    }
}

/// Something of the table that is measured on its own.
protocol Measure: SendableMetatype {
    /// How it is called on the command line.
    static var name: String { get }

    /// What it measures, in a few words.
    static var abstract: String { get }

    /// Measures, once a repetition.
    static func figures(_ setup: Setup) throws -> [Figure]
}

/// A measure cannot go on.
struct Failed: Error, CustomStringConvertible {
    /// Why.
    let description: String
}
