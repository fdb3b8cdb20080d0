import Foundation
import KoobatchCore

/// A line of the spool: an answer with all that it takes to record it, and to do without koobatch.
struct SpooledAnswer: Codable, Hashable {
    let attemptID: Int64
    let chunkID: Int64
    let commandJobID: Int64
    let requestID: String
    let finishedAt: String
    /// `accepted`, or that of a failure.
    let outcome: String
    let httpStatus: Int?
    let taskID: String?
    let instanceIDs: [String]
    /// In the order of the instances; `null` where the answer leaves one out.
    let jobIDs: [String?]?
    let errorCode: String?
    let errorMessage: String?
    let endpointFault: String?
    /// Seconds that the API asked to wait.
    let retryAfter: Double?

    enum CodingKeys: String, CodingKey {
        case attemptID = "attempt_id"
        case chunkID = "chunk_id"
        case commandJobID = "command_job_id"
        case requestID = "request_id"
        case finishedAt = "finished_at"
        case outcome
        case httpStatus = "http_status"
        case taskID = "task_id"
        case instanceIDs = "instance_ids"
        case jobIDs = "job_ids"
        case errorCode = "error_code"
        case errorMessage = "error_msg"
        case endpointFault = "endpoint_fault"
        case retryAfter = "retry_after"
    }

    static let accepted = "accepted"

    init(_ answer: AttemptResult) {
        attemptID = answer.claim.attempt.rawValue
        chunkID = answer.claim.chunk.rawValue
        commandJobID = answer.claim.job.rawValue
        requestID = answer.claim.request.requestID.rawValue
        finishedAt = answer.finishedAt.description
        instanceIDs = answer.claim.request.instances.list
        switch answer.result {
        case .success(let accepted):
            outcome = Self.accepted
            httpStatus = 200
            taskID = accepted.taskID
            jobIDs = accepted.jobs
            (errorCode, errorMessage, endpointFault, retryAfter) = (nil, nil, nil, nil)
        case .failure(let failure):
            outcome = failure.outcome.rawValue
            httpStatus = failure.httpStatus
            (taskID, jobIDs) = (nil, nil)
            errorCode = failure.errorCode
            errorMessage = failure.message
            endpointFault = failure.endpointFault.rawValue
            retryAfter = failure.retryAfter?.inSeconds
        }
    }

    /// Reads a line.
    ///
    /// - Throws: `Unreadable`.
    init(line: String) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(line.utf8))
        } catch {
            throw Unreadable()
        }
    }

    /// The JSON object, on one line.
    var line: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        } catch {
            preconditionFailure("texts and numbers have a JSON form: \(error)")
        }
    }

    /// What the request came to.
    ///
    /// - Throws: `Unreadable`, for what koobatch does not write.
    func result() throws -> Result<SubmitResponse, ServiceFailure> {
        if outcome == Self.accepted {
            guard let taskID, 1...32 ~= taskID.count, let jobIDs, jobIDs.count == instanceIDs.count,
                case let named = jobIDs.compactMap(\.self), Set(named).count == named.count
            else { throw Unreadable() }
            let missing = jobIDs.indices.filter { jobIDs[$0] == nil }
            return .success(
                SubmitResponse(taskID: taskID, jobIDs: JSONText.optionalArray(jobIDs), missing: missing)
            )
        }
        guard let outcome = ServiceFailure.Outcome(rawValue: outcome), let errorCode, let errorMessage,
            let fault = endpointFault.flatMap(EndpointFault.init)
        else { throw Unreadable() }
        return .failure(
            ServiceFailure(
                outcome,
                httpStatus: httpStatus,
                errorCode: errorCode,
                message: errorMessage,
                retryAfter: retryAfter.map(ChunkFacts.duration),
                endpointFault: fault
            )
        )
    }

    /// The line is cut or damaged.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String { "the line is cut or damaged" }
    }
}

extension SubmitResponse {
    /// The `job_id` of each instance in the order of the request.
    fileprivate var jobs: [String?] {
        do {
            return try JSONText.optionalStrings(jobIDs)
        } catch {
            preconditionFailure("whoever creates an answer has validated it: \(error)")
        }
    }
}
