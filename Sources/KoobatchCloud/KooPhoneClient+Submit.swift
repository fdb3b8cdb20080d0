public import KoobatchCore
import Logging
import NIOHTTP1

extension KooPhoneClient {
    /// `POST /v1/instances/async-command`.
    public func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitAnswer {
        let content = try await send(
            .POST,
            "/v1/instances/async-command",
            requestID: request.requestID,
            body: SubmitBody(request).bytes,
            reading: SubmitContent.self
        )
        let (answer, extras) = try content.answer(to: request.instanceIDs)
        if extras > 0 {
            logger.warning(
                "The API mapped instances that were not asked for; they are ignored",
                metadata: [
                    LogKeys.requestID: "\(request.requestID.rawValue)",
                    LogKeys.taskID: "\(answer.taskID)",
                    LogKeys.instances: "\(extras)",
                ]
            )
        }
        return answer
    }
}

/// The body of a submission, `{"command":…,"instance_ids":[…]}`, written without the cost of a general encoder.
private struct SubmitBody {
    private(set) var bytes: [UInt8] = []

    init(_ request: SubmitRequest) {
        bytes.reserveCapacity(64 + request.command.utf8.count + request.instanceIDs.count * 35)
        bytes += Array(#"{"command":"#.utf8)
        bytes.appendJSON(request.command)
        bytes += Array(#","instance_ids":["#.utf8)
        for (index, instance) in request.instanceIDs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSON(instance)
        }
        bytes += Array("]}".utf8)
    }
}

/// `data` of the answer to a submission.
struct SubmitContent: Decodable, Sendable {
    /// The longest `task_id` that is documented, and the longest `job_id` that is taken, in characters.
    private static let longestTaskID = 32
    private static let longestJobID = 64

    private let taskID: Scalar?
    private let mappings: [Mapping?]?

    private enum CodingKeys: String, CodingKey {
        case taskID = "task_id"
        case mappings = "cmd_jobs"
    }

    private struct Mapping: Decodable {
        let instanceID: Scalar?
        let jobID: Scalar?

        enum CodingKeys: String, CodingKey {
            case instanceID = "instance_id"
            case jobID = "job_id"
        }
    }

    /// The answer, and how many mappings it holds that were not asked for.
    ///
    /// An instance that is mapped to two jobs counts as missing, because which of them is its own cannot be known, and so
    /// do two instances that are mapped to one.
    func answer(to asked: [String]) throws(ServiceFailure) -> (SubmitAnswer, extras: Int) {
        guard let taskID = taskID?.text else { throw .badAnswer("data.task_id is missing", status: 200) }
        guard PlainText.isIdentifier(taskID, longest: Self.longestTaskID) else {
            let shown = PlainText.bounded(taskID, to: 64)
            throw .badAnswer("data.task_id \"\(shown)\" has not 1 to \(Self.longestTaskID) characters", status: 200)
        }
        guard let mappings else { throw .badAnswer("data.cmd_jobs is missing", status: 200) }
        let wanted = Set(asked)
        var jobIDs: [String: String] = [:]
        var ambiguous: Set<String> = []
        var extras = 0
        for case let mapping? in mappings {
            guard let instance = mapping.instanceID?.text, let job = mapping.jobID?.text,
                PlainText.isIdentifier(job, longest: Self.longestJobID)
            else { continue }
            guard wanted.contains(instance) else {
                extras += 1
                continue
            }
            if let known = jobIDs.updateValue(job, forKey: instance), known != job { ambiguous.insert(instance) }
        }
        for instance in ambiguous { jobIDs[instance] = nil }
        let shared = Dictionary(grouping: jobIDs.keys) { jobIDs[$0] }.values.filter { $0.count > 1 }
        for instance in shared.joined() { jobIDs[instance] = nil }
        let missing = asked.filter { jobIDs[$0] == nil }
        return (SubmitAnswer(taskID: taskID, jobIDs: jobIDs, missing: missing), extras)
    }
}
