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
            // Without the white space that may stand between ids.
            text = json.utf8.filter { $0 > 0x20 }
        }
    }

    /// The size in bytes.
    var size: Int { text.count }

    /// The instances from a number on, cut into chunks; fewer than `count` where the list ends.
    mutating func chunks(from first: Int, count: Int, size: Int) -> [InstanceIDs] {
        if first < index { (offset, index) = (0, 0) }
        skip(to: first)
        var chunks: [InstanceIDs] = []
        chunks.reserveCapacity((count + size - 1) / size)
        var left = count
        while left > 0, let chunk = chunk(of: min(size, left)) {
            chunks.append(chunk)
            left -= chunk.count
        }
        return chunks
    }

    private mutating func skip(to first: Int) {
        text.withUnsafeBufferPointer { bytes in
            while index < first, let end = Self.end(of: 1, in: bytes, from: offset) {
                (offset, index) = (end.offset, index + 1)
            }
        }
    }

    /// The next instances; `nil` at the end of the list, or where it is damaged.
    private mutating func chunk(of count: Int) -> InstanceIDs? {
        text.withUnsafeBufferPointer { bytes in
            guard let (end, found) = Self.end(of: count, in: bytes, from: offset) else { return nil }
            // From the first quote to the last.
            var json: [UInt8] = [UInt8(ascii: "[")]
            json += bytes[(offset + 1)..<end]
            json.append(UInt8(ascii: "]"))
            (offset, index) = (end, index + found)
            return InstanceIDs(json: String(decoding: json, as: UTF8.self))
        }
    }

    /// Where up to so many ids end that follow a bracket or comma at an offset; `nil` if there is none.
    private static func end(
        of count: Int,
        in bytes: UnsafeBufferPointer<UInt8>,
        from offset: Int
    ) -> (offset: Int, count: Int)? {
        var at = offset
        var found = 0
        while found < count, at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "\"") {
            var close = at + 2
            while close < bytes.count, bytes[close] != UInt8(ascii: "\"") { close += 1 }
            guard close < bytes.count else { break }
            at = close + 1
            found += 1
        }
        return found > 0 ? (at, found) : nil
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

    /// Chunks of a list that is kept; `nil` if it is not.
    func chunks(of job: CommandJobID, from first: Int, count: Int, size: Int) -> [InstanceIDs]? {
        state.withLock { state in
            guard state.lists[job] != nil else { return nil }
            if state.order.last != job {
                state.order.removeAll { $0 == job }
                state.order.append(job)
            }
            return state.lists[job]?.chunks(from: first, count: count, size: size)
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
