import FoundationEssentials
import NIOCore

/// Every submission in the order of arrival, as it was and as it was dealt with.
struct Journal: Sendable {
    /// One submission; formatted only when somebody reads it.
    struct Entry: Sendable {
        let at: Date
        let text: SubmittedText
        /// The numbers of what it started; nil when it was not executed.
        let receipt: Receipt?
        let status: UInt16
        let fault: FaultRule.Kind?
        /// The code in the answer; nil when no code reached the client.
        let errorCode: String?
    }

    private(set) var entries: [Entry] = []

    mutating func append(_ entry: Entry) {
        entries.append(entry)
    }

    mutating func removeAll() {
        entries.removeAll()
    }
}

extension Journal.Entry {
    /// What the client saw: an HTTP status, or what happened instead of a proper answer.
    var answer: String {
        switch fault {
        case .hang: "hung"
        case .dropBefore, .dropAfter: "dropped"
        case .truncated: "truncated"
        case .malformed: "malformed"
        case .empty: "empty"
        default: String(status)
        }
    }

    /// Writes the entry as one line of JSON.
    func write(number: Int, to buffer: inout ByteBuffer, identifiers: IdentifierScheme) {
        buffer.writeString(#"{"n":\#(number),"at":"\#(at.formatted(.milliseconds))","request_id":"#)
        Self.write(text.requestIDBytes, to: &buffer)
        buffer.writeStaticString(#","command":"#)
        Self.write(text.commandBytes, to: &buffer)
        buffer.writeStaticString(#","instance_ids":["#)
        writeElements(to: &buffer) { _, id, buffer in
            Self.write(id, to: &buffer)
        }
        buffer.writeString(#"],"executed":\#(receipt != nil),"task_id":"#)
        Self.write(receipt.map { Array(identifiers.task($0.task).text.utf8)[...] }, to: &buffer)
        buffer.writeStaticString(#","jobs":["#)
        if let receipt {
            writeElements(to: &buffer) { index, id, buffer in
                buffer.writeStaticString("[")
                Self.write(id, to: &buffer)
                buffer.writeStaticString(#",""#)
                buffer.writeIdentifier(identifiers.job(receipt.firstJob + index))
                buffer.writeStaticString(#""]"#)
            }
        }
        buffer.writeString(#"],"answer":"\#(answer)","error_code":"#)
        Self.write((errorCode?.utf8).map { Array($0)[...] }, to: &buffer)
        buffer.writeStaticString(#","fault":"#)
        Self.write((fault?.rawValue.utf8).map { Array($0)[...] }, to: &buffer)
        buffer.writeStaticString("}\n")
    }

    private func writeElements(
        to buffer: inout ByteBuffer,
        _ write: (Int, ArraySlice<UInt8>, inout ByteBuffer) -> Void
    ) {
        var index = 0
        text.forEachInstance { id in
            if index > 0 {
                buffer.writeStaticString(",")
            }
            write(index, id, &buffer)
            index += 1
        }
    }

    private static func write(_ text: ArraySlice<UInt8>?, to buffer: inout ByteBuffer) {
        guard let text else {
            buffer.writeStaticString("null")
            return
        }
        buffer.writeStaticString("\"")
        buffer.writeBytes(text)
        buffer.writeStaticString("\"")
    }
}

extension FormatStyle where Self == Date.ISO8601FormatStyle {
    /// UTC with milliseconds, as in `2025-01-31T23:59:59.123Z`.
    static var milliseconds: Date.ISO8601FormatStyle {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    }
}
