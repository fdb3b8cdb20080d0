import Foundation
import KoobatchCore
import Synchronization

/// The instances of a job as the text that was inserted, read from the front.
///
/// Chunks are cut from it in order, so that nothing else that is proportional to it is needed.
struct InstanceList: Sendable {
    private let text: [UInt8]
    /// Where the next instance is looked for, and its number.
    private var offset = 0
    private var index = 0

    /// Creates a list from a JSON array of strings.
    ///
    /// - Throws: `DecodingError` when the text was damaged after the insert.
    init(_ json: String) throws {
        if json.utf8.contains(UInt8(ascii: "\\")) {
            text = Array(JSONText.array(try JSONDecoder().decode([String].self, from: Data(json.utf8))).utf8)
        } else {
            text = Array(json.utf8)
        }
    }

    /// The size in bytes.
    var size: Int { text.count }

    /// The instances from a number on; fewer than `count` where the list ends.
    mutating func instances(from first: Int, count: Int) -> [String] {
        if first < index { (offset, index) = (0, 0) }
        var found: [String] = []
        found.reserveCapacity(count)
        text.withUnsafeBufferPointer { bytes in
            while found.count < count, let begin = bytes[offset...].firstIndex(of: UInt8(ascii: "\"")) {
                guard let end = bytes[(begin + 1)...].firstIndex(of: UInt8(ascii: "\"")) else { break }
                if index >= first { found.append(String(decoding: bytes[(begin + 1)..<end], as: UTF8.self)) }
                offset = end + 1
                index += 1
            }
        }
        return found
    }
}

/// The lists of large jobs that are being cut into chunks.
///
/// A large list is read before the transaction that cuts from it, so that the write lock is not held meanwhile.
final class InstanceLists: Sendable {
    /// Lists of fewer instances are read in the transaction each time.
    static let largeFrom = 2_000
    /// The most bytes that are kept, but for the list that was read last.
    private static let capacity = 16 << 20

    private struct State {
        var lists: [CommandJobID: InstanceList] = [:]
        /// Least recently used first.
        var order: [CommandJobID] = []
    }

    private let state = Mutex(State())

    /// Whether the list of a job is kept.
    func holds(_ job: CommandJobID) -> Bool {
        state.withLock { $0.lists[job] != nil }
    }

    /// Keeps a list, and drops others where there are too many.
    func keep(_ list: InstanceList, of job: CommandJobID) {
        state.withLock { state in
            state.lists[job] = list
            state.order.removeAll { $0 == job }
            state.order.append(job)
            var bytes = state.lists.values.reduce(0) { $0 + $1.size }
            while bytes > Self.capacity, state.order.count > 1 {
                let oldest = state.order.removeFirst()
                bytes -= state.lists.removeValue(forKey: oldest)?.size ?? 0
            }
        }
    }

    /// Instances of a list that is kept; `nil` if it is not.
    func instances(of job: CommandJobID, from first: Int, count: Int) -> [String]? {
        state.withLock { state in
            guard state.lists[job] != nil else { return nil }
            if state.order.last != job {
                state.order.removeAll { $0 == job }
                state.order.append(job)
            }
            return state.lists[job]?.instances(from: first, count: count)
        }
    }

    /// Drops a list that is cut to its end.
    func drop(_ job: CommandJobID) {
        state.withLock { state in
            state.lists[job] = nil
            state.order.removeAll { $0 == job }
        }
    }
}
