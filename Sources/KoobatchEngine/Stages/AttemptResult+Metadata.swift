import KoobatchCore
import KoobatchStore
import Logging

extension AttemptResult {
    var isAccepted: Bool { result.failure == nil }

    /// What the log says of it.
    ///
    /// - Parameter withJobIDs: whether the mapping of an acceptance is told in full.
    func metadata(withJobIDs: Bool) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKeys.jobID: "\(claim.job.rawValue)",
            LogKeys.chunkID: "\(claim.chunk.rawValue)",
            LogKeys.requestID: "\(claim.request.requestID.rawValue)",
        ]
        switch result {
        case .success(let accepted):
            metadata[LogKeys.taskID] = "\(accepted.taskID)"
            metadata[LogKeys.instances] = "\(claim.request.instances.count - accepted.missing.count)"
            if withJobIDs {
                metadata[LogKeys.jobIDs] = "\(accepted.jobIDs)"
                metadata[LogKeys.instanceIDs] = "\(claim.request.instances.json)"
            }
        case .failure(let failure):
            metadata[LogKeys.outcome] = "\(failure.outcome.rawValue)"
            metadata[LogKeys.code] = "\(failure.errorCode)"
            metadata[LogKeys.message] = "\(failure.message)"
        }
        return metadata
    }
}
