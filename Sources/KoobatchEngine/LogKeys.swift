/// The metadata keys of log messages, all in one place.
public enum LogKeys {
    static let jobID = "command_job.id"
    static let jobState = "command_job.state"
    static let jobReason = "command_job.state_reason"
    static let chunkID = "chunk.id"
    /// How many chunks.
    public static let chunks = "chunk.count"
    static let instances = "instance.count"
    /// Followed by a state: how many instances are in it.
    static let instance = "instance"
    static let requestID = "request.id"
    static let taskID = "task.id"
    static let jobIDs = "task.job_ids"
    static let answers = "answer.count"
    static let spool = "spool.path"
    static let spoolLine = "spool.line"
    static let instanceIDs = "instance.ids"
    static let outcome = "attempt.outcome"
    static let seconds = "duration.seconds"
    static let code = "error.code"
    /// What went wrong, a sentence.
    public static let message = "error.message"
    /// What the operator can do about it.
    static let advice = "error.advice"
    static let until = "pause.until"
    static let reason = "pause.reason"
    static let rate = "limit.requests_per_second"
    /// Where the database is.
    public static let database = "database.path"
    static let logBytes = "database.log_bytes"
    /// The program that keeps the database locked.
    public static let holder = "database.lock_holder"
    /// How many jobs.
    public static let jobs = "command_job.count"
    /// Why, a sentence.
    public static let why = "database.state_reason"
    /// The version of the daemon.
    public static let version = "daemon.version"
    /// A host that requests go to.
    public static let host = "network.host"
    /// Which way they go there.
    public static let route = "network.route"
    /// A file with credentials.
    public static let file = "file.path"
    /// What to run.
    public static let command = "advice.command"
    /// Where something listens or is written.
    public static let address = "metrics.address"
}
