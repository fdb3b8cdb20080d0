import KoobatchCore

private let secret = "secret-of-the-fuzzer"
private let hiding = Redactor(secret)
private let asked = InstanceIDs(["a", "b2", "c\u{7E}"])

/// The readers of the API's answers: any body, as the answer to a submission and to a query.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let body = UnsafeRawBufferPointer(start: start, count: count)
    let redactor = hiding.reduced(to: body)
    if let accepted = content(of: body, SubmissionReader(asked: asked, hiding: redactor), redactor)?.accepted {
        precondition((1...32).contains(accepted.taskID.utf8.count))
        precondition(accepted.taskID.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        precondition(accepted.missing.count < asked.count)
        precondition(accepted.jobIDs.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
    }
    if let report = content(of: body, QueryReader(hiding: redactor), redactor) {
        for result in report.results.values {
            precondition(result.errorCode?.unicodeScalars.count ?? 0 <= 64)
            for text in [result.errorCode, result.errorMessage, result.output] {
                precondition(text?.utf8.contains(0) != true)
                precondition(text?.contains(secret) != true)
            }
        }
    }
    return 0
}

private func content<Reader: DataReader>(
    of body: UnsafeRawBufferPointer,
    _ reader: Reader,
    _ redactor: Redactor
) -> Reader.Content? {
    var envelope = Envelope(reader)
    do {
        var scanner = JSONScanner(body)
        try envelope.read(&scanner, hiding: redactor)
        guard envelope.code == "0", envelope.hasData else { return nil }
        return try envelope.reader.content()
    } catch {
        return nil
    }
}
