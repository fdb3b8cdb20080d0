import FoundationEssentials
import HTTPTypes
import NIOCore
import Synchronization

extension RequestHandler {
    /// `GET /v1/instances/tasks/{task_id}`.
    func query(_ task: Substring, head: HTTPRequest, body: ByteBuffer) -> Answer {
        let now = clock()
        let caller = caller(head, body: body, at: now)
        let decision = cloud.withLock { $0.query(task, from: caller, at: now) }
        return decision.answer { entry, fault in
            Answer(body: jobs(of: entry, fault: fault, at: now))
        }
    }

    private func jobs(of entry: TaskTable.Entry, fault: FaultRule?, at now: Date) -> ByteBuffer {
        let states = entry.outcomes.map { Self.state(of: $0, submittedAt: entry.submittedAt, at: now) }
        let shown = fault?.kind == .missingMappings ? entry.jobCount - (fault?.count ?? 1) : entry.jobCount
        var buffer = ByteBuffer()
        buffer.reserveCapacity(128 + entry.jobCount * 128)
        buffer.writeStaticString(#"{"data":{"jobs":["#)
        for index in 0..<max(0, shown) {
            if index > 0 {
                buffer.writeStaticString(",")
            }
            let state = states[states.count == 1 ? 0 : index]
            buffer.writeJob(identifiers.job(entry.firstJob + index), state)
            if index == 0, fault?.kind == .duplicateMappings {
                buffer.writeStaticString(",")
                buffer.writeJob(identifiers.job(entry.firstJob), state)
            }
        }
        if fault?.kind == .extraMappings, let state = states.first {
            buffer.writeStaticString(",")
            buffer.writeJob(.random, state)
        }
        buffer.writeEnd(isNumber: fault?.kind == .numberCode)
        return buffer
    }

    /// What follows a job's name; the same bytes for all jobs of an outcome.
    private static func state(of outcome: JobOutcome, submittedAt: Date, at now: Date) -> ByteBuffer {
        var buffer = ByteBuffer()
        guard outcome.isFinished(submittedAt: submittedAt, now: now) else {
            buffer.writeStaticString(#"","status":1,"error_code":"","error_msg":"","execute_msg":""}"#)
            return buffer
        }
        buffer.writeString(#"","status":\#(outcome.failure == nil ? 2 : -1),"error_code":""#)
        buffer.writeEscaped(outcome.failure?.errorCode ?? "")
        buffer.writeStaticString(#"","error_msg":""#)
        buffer.writeEscaped(outcome.failure?.errorMessage ?? "")
        buffer.writeStaticString(#"","execute_msg":""#)
        buffer.writeEscaped(outcome.output)
        buffer.writeStaticString(#""}"#)
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeJob(_ job: Identifier, _ state: ByteBuffer) {
        writeStaticString(#"{"job_id":""#)
        writeIdentifier(job)
        writeImmutableBuffer(state)
    }
}
