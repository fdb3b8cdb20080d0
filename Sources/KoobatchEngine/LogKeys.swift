/// The metadata keys of log messages, all in one place.
enum LogKeys {
    static let jobID = "command_job.id"
    static let jobs = "command_job.count"
    static let chunkID = "chunk.id"
    static let chunks = "chunk.count"
    static let instances = "instance.count"
    static let attemptID = "attempt.id"
    static let requestID = "request.id"
    static let taskID = "task.id"
    static let outcome = "attempt.outcome"
    static let status = "http.status"
    static let code = "error.code"
    static let message = "error.message"
    static let error = "error"
    static let until = "until"
    static let reason = "reason"
    static let decision = "decision"
}
