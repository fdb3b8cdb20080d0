/// How large the write-ahead log is.
public struct WriteAheadLog: Hashable, Sendable {
    /// From this size on people are told, in bytes.
    public static let warningSize = 64_000_000
    private static let largeSize = 16_000_000
    /// A page and the header of its frame.
    private static let frame = 4_096 + 24

    /// What of it is in use, in bytes.
    public let bytes: Int

    /// Whether readers, or writes at a stretch, keep it from being emptied: it is to be tried again soon.
    public var isLarge: Bool { bytes >= Self.largeSize }

    /// Creates the state of a log.
    public init(bytes: Int) {
        self.bytes = bytes
    }

    init(pages: CInt) {
        bytes = Int(pages) * Self.frame
    }
}
