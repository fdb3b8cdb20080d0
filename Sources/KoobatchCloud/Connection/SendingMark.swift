import Synchronization

/// Notes that a request is about to leave this process.
final class SendingMark: Sendable {
    private let mark = Atomic(false)

    /// Whether any of the body may have been sent.
    var isSet: Bool { mark.load(ordering: .acquiring) }

    func set() {
        mark.store(true, ordering: .releasing)
    }
}

/// A request body that sets a mark at the moment its bytes are taken.
///
/// While the mark is not set, the API cannot have acted: it has not got the command, and a request whose announced
/// body never came is not complete. This rests on AsyncHTTPClient making a body that is given as a collection into a
/// buffer only when it is needed, as `HTTPClientRequest.Body.bytes(_:length:)` documents: on the event loop of a
/// connection that is established, TLS included, right after the head of the request is written, and before the first
/// byte of the body is. A request that ended before, by whatever cause, gets none of its body written afterwards.
struct MarkedBody: RandomAccessCollection, Sendable {
    private let bytes: [UInt8]
    private let mark: SendingMark

    init(_ bytes: [UInt8], mark: SendingMark) {
        self.bytes = bytes
        self.mark = mark
    }

    var startIndex: Int { bytes.startIndex }

    var endIndex: Int { bytes.endIndex }

    subscript(position: Int) -> UInt8 {
        mark.set()
        return bytes[position]
    }

    func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        mark.set()
        return try bytes.withContiguousStorageIfAvailable(body)
    }
}
