#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Sequence<UInt64> {
    /// Whether two of the marks are equal: sorted, equal ones meet.
    var hasEqualMarks: Bool {
        let marks = sorted()
        return zip(marks, marks.dropFirst()).contains { $0 == $1 }
    }
}

/// Comparisons that the C library makes many bytes at a time.
extension UnsafeRawBufferPointer {
    /// A number that equal bytes share, and others hardly ever: cheaper to compare than the bytes.
    var mark: UInt64 {
        var mark = UInt64(count)
        var at = 0
        while at + 8 <= count {
            mark = (mark ^ loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
            at += 8
        }
        for byte in self[at...] { mark = (mark ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15 }
        return mark
    }

    /// Whether both hold the same bytes.
    func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let start = baseAddress, let otherStart = other.baseAddress else {
            return isEmpty && other.isEmpty
        }
        return memcmp(start, otherStart, count) == 0
    }

    /// Where a byte stands first, at an offset or after it; `nil` if it does not.
    func offset(of byte: UInt8, from offset: Int) -> Int? {
        guard let start = baseAddress, offset < count, let found = memchr(start + offset, CInt(byte), count - offset)
        else { return nil }
        return UnsafeRawPointer(found) - start
    }

    /// Where bytes begin first, at an offset or after it; `nil` if they do not, or are none.
    func offset(of part: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        guard let head = part.first else { return nil }
        var next = offset
        while let found = self.offset(of: head, from: next), found + part.count <= count {
            if UnsafeRawBufferPointer(rebasing: self[found..<found + part.count]).isEqual(to: part) { return found }
            next = found + 1
        }
        return nil
    }
}
