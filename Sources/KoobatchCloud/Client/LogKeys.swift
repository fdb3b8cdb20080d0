/// The metadata keys of log messages, all in one place.
enum LogKeys {
    static let requestID = "request.id"
    static let taskID = "task.id"
    static let instances = "instance.count"
    static let path = "file.path"
    static let mode = "file.mode"
    static let life = "token.life_seconds"
    static let error = "error.message"
}
