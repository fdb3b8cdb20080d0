/// The metadata keys of log messages, all in one place.
public enum LogKeys {
    /// The id of a job.
    public static let jobID = "command_job.id"
    /// Its state.
    public static let jobState = "command_job.state"
    /// Why it is in that state.
    public static let jobReason = "command_job.state_reason"
    /// The id of a chunk.
    public static let chunkID = "chunk.id"
    /// How many chunks.
    public static let chunks = "chunk.count"
    /// How many instances.
    public static let instances = "instance.count"
    /// Followed by a state: how many instances are in it.
    public static let instance = "instance"
    /// The `x-request-id` of a request.
    public static let requestID = "request.id"
    /// The id of an acceptance.
    public static let taskID = "task.id"
    /// The `job_id` of each instance of an acceptance.
    public static let jobIDs = "task.job_ids"
    /// How many answers.
    public static let answers = "answer.count"
    /// The file of answers that the database does not take.
    public static let spool = "spool.path"
    /// A line of that file.
    public static let spoolLine = "spool.line"
    /// Ids of instances.
    public static let instanceIDs = "instance.ids"
    /// What came of an attempt.
    public static let outcome = "attempt.outcome"
    /// How long something took.
    public static let seconds = "duration.seconds"
    /// The code of a failure.
    public static let code = "error.code"
    /// What went wrong, a sentence.
    public static let message = "error.message"
    /// What the operator can do about it.
    public static let advice = "error.advice"
    /// Until when requests pause.
    public static let until = "pause.until"
    /// Why requests pause.
    public static let reason = "pause.reason"
    /// The rate limit in force.
    public static let rate = "limit.requests_per_second"
    /// Where the database is.
    public static let database = "database.path"
    /// The size of the write-ahead log.
    public static let logBytes = "database.log_bytes"
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
    /// The mode of a file, in octal.
    public static let mode = "file.mode"
    /// How long a token is good for.
    public static let life = "token.life_seconds"
    /// What is wrong with the configuration, a sentence.
    public static let problem = "problem"
    /// A key of the configuration.
    public static let key = "key"
    /// Its value.
    public static let value = "value"
    /// Its value until now.
    public static let from = "from"
    /// Its value from now on.
    public static let to = "to"
    /// A variable of the environment.
    public static let variable = "name"
    /// Why the daemon is stuck, a sentence.
    public static let stall = "stall"
    /// Why connections could not be closed.
    public static let closing = "error"
    /// How many lines of the log were dropped.
    public static let dropped = "log.dropped"
}
