/// Finds the fields of a submission's body without decoding it.
///
/// Understands an object with `command` and `instance_ids` in ASCII, without escapes and without other keys, which is
/// what clients send; everything else is left to a real JSON decoder.
struct SubmitBodyScanner {
    struct Fields {
        var command: Range<Int>?
        var instances: [Range<Int>] = []
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The fields; nil for a body that needs more than this scanner.
    mutating func scan() -> Fields? {
        var fields = Fields()
        var hasInstances = false
        guard take(UInt8(ascii: "{")) else { return nil }
        repeat {
            guard let key = string(), take(UInt8(ascii: ":")) else { return nil }
            if fields.command == nil, isEqual(key, "command") {
                guard let command = string() else { return nil }
                fields.command = command
            } else if !hasInstances, isEqual(key, "instance_ids") {
                guard let instances = strings() else { return nil }
                fields.instances = instances
                hasInstances = true
            } else {
                return nil
            }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { return nil }
        skipBlanks()
        return position == bytes.count ? fields : nil
    }

    private mutating func strings() -> [Range<Int>]? {
        guard take(UInt8(ascii: "[")) else { return nil }
        var found: [Range<Int>] = []
        if take(UInt8(ascii: "]")) { return found }
        found.reserveCapacity(32)
        repeat {
            guard let next = string() else { return nil }
            found.append(next)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? found : nil
    }

    private mutating func string() -> Range<Int>? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                defer { position += 1 }
                return start..<position
            }
            guard byte.isPlainInJSON, byte < 0x7F else { return nil }
            position += 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): position += 1
            default: return
            }
        }
    }

    private func isEqual(_ range: Range<Int>, _ text: StaticString) -> Bool {
        bytes[range].elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
