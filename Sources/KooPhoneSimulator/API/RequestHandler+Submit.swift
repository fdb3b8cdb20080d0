import HTTPTypes
import NIOCore
import Synchronization

extension RequestHandler {
    /// `POST /v1/instances/async-command`.
    func submit(_ head: HTTPRequest, body: ByteBuffer) -> Answer {
        let now = clock()
        let caller = caller(head, body: body, at: now)
        let submitted = SubmitBody(body, requestID: caller.requestID, maxInstances: configuration.maxInstances)
        let isJSON = Self.isJSON(head.headerFields[.contentType])
        let decision = cloud.withLock { $0.submit(submitted, isJSON: isJSON, from: caller, at: now) }
        return decision.answer { receipt, fault in
            Answer(body: mappings(of: submitted.text, receipt: receipt, fault: fault))
        }
    }

    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        if contentType == "application/json" { return true }
        let type = contentType.prefix { $0 != ";" && $0 != " " }
        return type.lowercased() == "application/json"
    }

    private func mappings(of text: SubmittedText, receipt: Receipt, fault: FaultRule?) -> ByteBuffer {
        let count = Int(text.instanceCount)
        let shown = fault?.kind == .missingMappings ? count - (fault?.count ?? 1) : count
        var buffer = ByteBuffer()
        buffer.reserveCapacity(128 + count * 128)
        buffer.writeStaticString(#"{"data":{"task_id":""#)
        buffer.writeIdentifier(identifiers.task(receipt.task))
        if fault?.kind == .longIDs {
            buffer.writeStaticString("-")
            buffer.writeIdentifier(.random)
        }
        buffer.writeStaticString(#"","cmd_jobs":["#)
        var index = 0
        text.forEachInstance { id in
            defer { index += 1 }
            guard index < shown else { return }
            if index > 0 {
                buffer.writeStaticString(",")
            }
            let job = identifiers.job(receipt.firstJob + index)
            if fault?.kind == .crossed {
                buffer.writeMapping("another-\(index)".utf8, job)
            } else {
                buffer.writeMapping(id, job)
            }
            if index == 0, fault?.kind == .duplicateMappings {
                buffer.writeStaticString(",")
                buffer.writeMapping(id, .random)
            }
        }
        if fault?.kind == .extraMappings {
            buffer.writeStaticString(",")
            buffer.writeMapping("not-asked-for".utf8, .random)
        }
        if fault?.kind == .contradicted {
            buffer.writeStaticString(#"]},"error_code":""#)
            buffer.writeEscaped(fault?.refusal.code ?? "")
            buffer.writeStaticString(#"","error_msg":"no"}"#)
        } else {
            buffer.writeEnd(isNumber: fault?.kind == .numberCode)
        }
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeMapping(_ instance: some Sequence<UInt8>, _ job: Identifier) {
        writeStaticString(#"{"instance_id":""#)
        writeBytes(instance)
        writeStaticString(#"","job_id":""#)
        writeIdentifier(job)
        writeStaticString(#""}"#)
    }

    /// Closes an array within `data` and adds the code of success.
    mutating func writeEnd(isNumber: Bool) {
        if isNumber {
            writeStaticString(#"]},"error_code":0,"error_msg":"ok"}"#)
        } else {
            writeStaticString(#"]},"error_code":"0","error_msg":"ok"}"#)
        }
    }
}
