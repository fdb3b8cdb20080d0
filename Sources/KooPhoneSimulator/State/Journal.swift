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
        var line = Array(#"{"n":\#(number),"at":"\#(at.formatted(.milliseconds))","request_id":"#.utf8)
        Self.append(text.requestIDBytes, to: &line)
        line += #","command":"#.utf8
        Self.append(text.commandBytes, to: &line)
        line += #","instance_ids":["#.utf8
        appendElements(to: &line) { _, id, line in
            Self.append(id, to: &line)
        }
        line += #"],"executed":\#(receipt != nil),"task_id":"#.utf8
        Self.append(receipt.map { Array(identifiers.task($0.task).text.utf8)[...] }, to: &line)
        line += #","jobs":["#.utf8
        if let receipt {
            appendElements(to: &line) { index, id, line in
                line.append(UInt8(ascii: "["))
                Self.append(id, to: &line)
                line.append(UInt8(ascii: ","))
                Self.append(Array(identifiers.job(receipt.firstJob + index).text.utf8)[...], to: &line)
                line.append(UInt8(ascii: "]"))
            }
        }
        line += #"],"answer":"\#(answer)","error_code":"#.utf8
        Self.append((errorCode?.utf8).map { Array($0)[...] }, to: &line)
        line += #","fault":"#.utf8
        Self.append((fault?.rawValue.utf8).map { Array($0)[...] }, to: &line)
        line += "}\n".utf8
        buffer.writeBytes(line)
    }

    private func appendElements(
        to line: inout [UInt8],
        _ append: (Int, ArraySlice<UInt8>, inout [UInt8]) -> Void
    ) {
        var index = 0
        text.forEachInstance { id in
            if index > 0 {
                line.append(UInt8(ascii: ","))
            }
            append(index, id, &line)
            index += 1
        }
    }

    private static func append(_ text: ArraySlice<UInt8>?, to line: inout [UInt8]) {
        guard let text else {
            line += "null".utf8
            return
        }
        line.append(UInt8(ascii: "\""))
        line += text
        line.append(UInt8(ascii: "\""))
    }
}

extension FormatStyle where Self == Date.ISO8601FormatStyle {
    /// UTC with milliseconds, as in `2025-01-31T23:59:59.123Z`.
    static var milliseconds: Date.ISO8601FormatStyle {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    }
}
