import Foundation
import KoobatchCore

/// A document of `chunk_instances`: what each instance of a chunk has of something, in the order of its instances.
///
/// Stored as NULL where no instance has anything, as a single JSON string where all have the same, else as a JSON array.
struct ChunkDocument: Hashable, Sendable {
    private(set) var values: [String?]

    /// A document in which no instance has anything.
    init(size: Int) {
        values = Array(repeating: nil, count: size)
    }

    /// Reads a column.
    ///
    /// - Throws: `DecodingError` for what koobatch does not write.
    init(_ column: String?, size: Int) throws {
        self.init(size: size)
        guard let column else { return }
        if column.utf8.first == UInt8(ascii: "[") {
            let stored = try JSONText.optionalStrings(column)
            for (index, value) in stored.prefix(size).enumerated() { values[index] = value }
        } else {
            let value = try JSONText.optionalStrings("[\(column)]").first ?? nil
            values = Array(repeating: value, count: size)
        }
    }

    subscript(index: Int) -> String? {
        get { values[index] }
        set { values[index] = newValue }
    }

    /// What is stored.
    var column: String? {
        guard let first = values.first else { return nil }
        if values.allSatisfy({ $0 == first }) { return first.map(JSONText.string) }
        return JSONText.optionalArray(values)
    }
}

/// What became of the instances of a chunk: the letters of `chunk_instances.states`.
enum InstanceLetter {
    static let awaited = UInt8(ascii: "a")
    static let succeeded = UInt8(ascii: "s")
    static let failed = UInt8(ascii: "f")
    static let unknown = UInt8(ascii: "u")
    static let moved = UInt8(ascii: "m")
}
