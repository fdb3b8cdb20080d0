public import KoobatchCore
import Logging
import NIOHTTP1

extension KooPhoneClient {
    /// `POST /v1/instances/async-command`.
    public func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse {
        let answer = try await send(
            .POST,
            "/v1/instances/async-command",
            requestID: request.requestID,
            body: SubmitBody(request).bytes,
            isFresh: request.needsFreshConnection,
            reader: { SubmissionReader(asked: request.instances, hiding: $0) }
        )
        if answer.extras > 0 {
            logger.warning(
                "The API mapped instances that were not asked for; they are ignored",
                metadata: [
                    LogKeys.requestID: "\(request.requestID.rawValue)",
                    LogKeys.taskID: "\(answer.accepted.taskID)",
                    LogKeys.instances: "\(answer.extras)",
                ]
            )
        }
        return answer.accepted
    }
}

/// The body of a submission, `{"command":…,"instance_ids":[…]}`, written without the cost of a general encoder.
private struct SubmitBody {
    private(set) var bytes: [UInt8] = []

    init(_ request: SubmitRequest) {
        bytes.reserveCapacity(40 + request.command.utf8.count + request.instances.json.utf8.count)
        bytes += Array(#"{"command":"#.utf8)
        bytes.appendJSON(request.command)
        bytes += Array(#","instance_ids":"#.utf8)
        bytes += request.instances.json.utf8
        bytes.append(UInt8(ascii: "}"))
    }
}
