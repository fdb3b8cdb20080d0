/// What a request said, in one allocation: request id, command and instance ids, each as the inside of a JSON string.
struct SubmittedText: Sendable {
    /// Ends every instance id; a byte that no UTF-8 text contains.
    private static let terminator: UInt8 = 0xFF

    private var bytes: [UInt8] = []
    private var requestIDEnd: Int32 = 0
    private var commandEnd: Int32 = 0
    private var hasRequestID = false
    private var hasCommand = false
    private(set) var instanceCount: Int32 = 0

    init(requestID: String?, command: (some Sequence<UInt8>)?, capacity: Int) {
        bytes.reserveCapacity(capacity)
        if let requestID {
            hasRequestID = true
            bytes.appendEscaped(requestID.utf8)
        }
        requestIDEnd = Int32(bytes.count)
        if let command {
            hasCommand = true
            bytes.appendEscaped(command)
        }
        commandEnd = Int32(bytes.count)
    }

    mutating func appendInstance(_ id: some Sequence<UInt8>) {
        bytes.appendEscaped(id)
        bytes.append(Self.terminator)
        instanceCount += 1
    }

    var requestIDBytes: ArraySlice<UInt8>? {
        hasRequestID ? bytes[..<Int(requestIDEnd)] : nil
    }

    var commandBytes: ArraySlice<UInt8>? {
        hasCommand ? bytes[Int(requestIDEnd)..<Int(commandEnd)] : nil
    }

    var command: String? {
        commandBytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first of the instances; nil when there is none.
    var firstInstance: ArraySlice<UInt8>? {
        guard instanceCount > 0 else { return nil }
        return bytes[Int(commandEnd)...].prefix { $0 != Self.terminator }
    }

    var instanceIDs: [String] {
        var ids: [String] = []
        ids.reserveCapacity(Int(instanceCount))
        forEachInstance { ids.append(String(decoding: $0, as: UTF8.self)) }
        return ids
    }

    func forEachInstance(_ body: (ArraySlice<UInt8>) -> Void) {
        var start = Int(commandEnd)
        for _ in 0..<instanceCount {
            guard let end = bytes[start...].firstIndex(of: Self.terminator) else { return }
            body(bytes[start..<end])
            start = end + 1
        }
    }
}
