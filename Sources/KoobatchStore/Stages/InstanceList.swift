import Foundation
import KoobatchCore
import Synchronization

/// The instances of a job as the text that was inserted, or a part of it, read from the front.
///
/// Chunks are cut from it in order, so that nothing else that is proportional to it is needed.
struct InstanceList: Sendable {
    private let text: [UInt8]
    /// The number of the first instance.
    private let start: Int
    /// Where the next instance is looked for, and its number.
    private var offset = 0
    private var index: Int
    /// Whether nothing of the job's list is left out behind it.
    private let isToEnd: Bool

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
        (start, index, isToEnd) = (0, 0, true)
    }

    private init(_ text: [UInt8], from start: Int, isToEnd: Bool) {
        (self.text, self.start, self.isToEnd) = (text, start, isToEnd)
        index = start
    }

    /// The size in bytes.
    var size: Int { text.count }

    /// The part that was not cut yet, so many bytes of it or a few more, and at least so many instances.
    func part(bytes: Int, count: Int) -> InstanceList {
        text.withUnsafeBufferPointer { text in
            var end = Self.end(of: count, in: text, from: offset)?.offset ?? offset
            while end - offset < bytes, let next = Self.end(of: 1, in: text, from: end) { end = next.offset }
            let isWhole = Self.end(of: 1, in: text, from: end) == nil
            return InstanceList(Array(text[offset..<end]), from: index, isToEnd: isToEnd && isWhole)
        }
    }

    /// Goes to an instance, and says whether so many from there on are in this part, or all that the list has.
    mutating func reaches(from first: Int, count: Int) -> Bool {
        if first < start { return false }
        skip(to: first)
        if isToEnd { return true }
        return text.withUnsafeBufferPointer { text in
            index == first && Self.end(of: count, in: text, from: offset)?.count == count
        }
    }

    /// The instances from a number on, cut into chunks; fewer than `count` where the list ends, and `nil` where this part
    /// does not reach so far.
    mutating func chunks(from first: Int, count: Int, size: Int) -> [InstanceIDs]? {
        if first < start { return nil }
        skip(to: first)
        var chunks: [InstanceIDs] = []
        chunks.reserveCapacity((count + size - 1) / size)
        var left = count
        while left > 0, let chunk = chunk(of: min(size, left)) {
            chunks.append(chunk)
            left -= chunk.count
        }
        return left == 0 || isToEnd ? chunks : nil
    }

    /// Goes to an instance.
    fileprivate mutating func skip(to first: Int) {
        if first < index { (offset, index) = (0, start) }
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
/// A large list is read before the transaction that cuts from it, so that the write lock is not held meanwhile. Of the
/// lists of several jobs, which take turns, as much is kept as there is room for: the next part of each.
final class InstanceLists: Sendable {
    /// Lists of fewer instances are read in the transaction each time.
    static let largeFrom = 2_000

    private struct State {
        var lists: [CommandJobID: InstanceList] = [:]
        /// Least recently used first.
        var order: [CommandJobID] = []
    }

    /// The most bytes that are kept, but for what the next claim needs.
    private let capacity: Int
    /// What is kept of each list at least.
    private let leastPart: Int
    private let state = Mutex(State())

    init(capacity: Int = 16 << 20, leastPart: Int = 64 << 10) {
        (self.capacity, self.leastPart) = (capacity, leastPart)
    }

    /// Whether so many instances of a job can be cut, from a number on.
    func reaches(_ job: CommandJobID, from first: Int, count: Int) -> Bool {
        state.withLock { $0.lists[job]?.reaches(from: first, count: count) ?? false }
    }

    /// Keeps a list that was read, from a place on, and less of others where there are too many.
    ///
    /// - Parameter count: the instances that are needed next.
    func keep(_ list: InstanceList, of job: CommandJobID, from first: Int, count: Int) {
        var list = list
        list.skip(to: first)
        state.withLock { state in
            state.lists[job] = nil
            state.order.removeAll { $0 == job }
            var bytes = state.lists.values.reduce(list.size) { $0 + $1.size }
            if bytes > capacity {
                let share = max(capacity / (state.lists.count + 1), leastPart)
                for (other, kept) in state.lists where kept.size > share {
                    state.lists[other] = kept.part(bytes: share, count: 0)
                }
                if list.size > share { list = list.part(bytes: share, count: count) }
                bytes = state.lists.values.reduce(list.size) { $0 + $1.size }
            }
            while bytes > capacity, !state.order.isEmpty {
                bytes -= state.lists.removeValue(forKey: state.order.removeFirst())?.size ?? 0
            }
            state.lists[job] = list
            state.order.append(job)
        }
    }

    /// Chunks of a list; `nil` if what is kept of it does not reach so far.
    func chunks(of job: CommandJobID, from first: Int, count: Int, size: Int) -> [InstanceIDs]? {
        state.withLock { state in
            guard let chunks = state.lists[job]?.chunks(from: first, count: count, size: size) else { return nil }
            if state.order.last != job {
                state.order.removeAll { $0 == job }
                state.order.append(job)
            }
            return chunks
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
