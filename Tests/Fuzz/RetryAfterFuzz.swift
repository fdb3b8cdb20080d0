import KoobatchCore

/// The header `Retry-After`, and dates of headers.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    if let pause = RetryAfter.duration(text, now: now) {
        precondition(pause >= .zero && pause <= .seconds(3_600))
    }
    if let date = RetryAfter.date(text) { precondition(Timestamp(date.description) == date) }
    return 0
}
