import FoundationEssentials
import NIOCore

/// The body of a submission, classified by the documented rules.
struct SubmitBody: Sendable {
    let text: SubmittedText
    /// The first rule that the body breaks.
    let violation: String?

    private static let longestCommand = 1_024
    private static let longestInstanceID = 32

    /// Reads a body: the usual shape at full speed, every other valid JSON at leisure.
    init(_ buffer: ByteBuffer, requestID: String?, maxInstances: Int) {
        self = buffer.withUnsafeReadableBytes { bytes in
            var scanner = SubmitBodyScanner(bytes)
            guard let fields = scanner.scan() else {
                return SubmitBody(unusual: buffer, requestID: requestID, maxInstances: maxInstances)
            }
            return SubmitBody(
                command: fields.command.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
                instances: fields.instances.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
                requestID: requestID,
                maxInstances: maxInstances
            )
        }
    }

    private init(unusual buffer: ByteBuffer, requestID: String?, maxInstances: Int) {
        struct Document: Decodable {
            let command: String?
            let instance_ids: [String]?
        }
        do {
            let document = try JSONDecoder().decode(Document.self, from: Data(buffer.readableBytesView))
            self.init(
                command: document.command.map { Array($0.utf8) },
                instances: document.instance_ids?.map { Array($0.utf8) } ?? [],
                requestID: requestID,
                maxInstances: maxInstances
            )
        } catch {
            self.init(
                text: SubmittedText(requestID: requestID, command: [UInt8]?.none, capacity: 64),
                violation: "the body must be an object with a string command and an array of strings instance_ids"
            )
        }
    }

    private init<Bytes: RandomAccessCollection<UInt8>>(
        command: Bytes?,
        instances: [Bytes],
        requestID: String?,
        maxInstances: Int
    ) {
        let size = instances.reduce((command?.count ?? 0) + (requestID?.utf8.count ?? 0)) { $0 + $1.count + 1 }
        var text = SubmittedText(requestID: requestID, command: command, capacity: size)
        for instance in instances {
            text.appendInstance(instance)
        }
        self.init(
            text: text,
            violation: Self.violation(command: command)
                ?? Self.violation(instances: instances, maxInstances: maxInstances)
        )
    }

    private init(text: SubmittedText, violation: String?) {
        self.text = text
        self.violation = violation
    }

    private static func violation(command: (some RandomAccessCollection<UInt8>)?) -> String? {
        guard let command else { return "command is required" }
        guard (1...longestCommand).contains(command.count) else {
            return "command must have 1 to \(longestCommand) bytes"
        }
        guard command.allSatisfy(isLegalInCommand) else {
            return "command may contain letters, digits, spaces and _ . / : - only"
        }
        return nil
    }

    private static func isLegalInCommand(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "-")...UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: " "):
            true
        default:
            false
        }
    }

    private static func violation(instances: [some RandomAccessCollection<UInt8>], maxInstances: Int) -> String? {
        guard (1...maxInstances).contains(instances.count) else {
            return "instance_ids must have 1 to \(maxInstances) elements"
        }
        var hashes: [UInt64] = []
        hashes.reserveCapacity(instances.count)
        for (index, instance) in instances.enumerated() {
            var characters = 0
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in instance {
                characters += byte & 0xC0 == 0x80 ? 0 : 1
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
            guard (1...longestInstanceID).contains(characters) else {
                return "an element of instance_ids must have 1 to \(longestInstanceID) characters"
            }
            for earlier in 0..<index where hashes[earlier] == hash && instances[earlier].elementsEqual(instance) {
                return "instance_ids must not repeat an element"
            }
            hashes.append(hash)
        }
        return nil
    }
}
