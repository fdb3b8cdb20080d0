/// The `id` of a row of `command_jobs`.
public struct CommandJobID: RawRepresentable, Hashable, Sendable {
    /// The value in the database.
    public let rawValue: Int64

    /// Creates an identifier from the value in the database.
    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }
}

/// The `id` of a row of `chunks`.
public struct ChunkID: RawRepresentable, Hashable, Sendable {
    /// The value in the database.
    public let rawValue: Int64

    /// Creates an identifier from the value in the database.
    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }
}

/// The `id` of a row of `attempts`.
public struct AttemptID: RawRepresentable, Hashable, Sendable {
    /// The value in the database.
    public let rawValue: Int64

    /// Creates an identifier from the value in the database.
    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }
}

/// The `x-request-id` of one request.
///
/// The API documents it as a "unique ID of a request" and nothing more: it traces a request and does not make a second
/// one with the same id harmless. Every attempt therefore gets a fresh one.
public struct RequestID: RawRepresentable, Hashable, Sendable {
    /// The value of the header: 32 lowercase hexadecimal digits when generated here.
    public let rawValue: String

    /// Creates an identifier from the value of the header.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// A fresh identifier of 128 random bits.
    public static func random(using generator: inout some RandomNumberGenerator) -> RequestID {
        let digits = Array("0123456789abcdef".utf8)
        let halves = [generator.next(), generator.next()] as [UInt64]
        return RequestID(
            rawValue: String(unsafeUninitializedCapacity: 32) { buffer in
                for index in 0..<32 {
                    buffer[index] = digits[Int(halves[index / 16] >> UInt64(index % 16 * 4) & 15)]
                }
                return 32
            }
        )
    }
}
