import KoobatchCore
import Synchronization

/// An API in this process: it accepts every request and ends every job well and at once, but for what its script says.
///
/// Like the client it throws promptly when its task is cancelled: `notSent` before a request is sent, `unknown` after.
final class ScriptedService: CommandService {
    typealias SubmitScript = @Sendable (SubmitRequest) async -> ServiceFailure?
    typealias QueryScript = @Sendable (_ task: String) async -> Result<TaskReport, ServiceFailure>?

    private struct State {
        var tasks: [String: [String]] = [:]
        var submitted: [SubmitRequest] = []
        var accepted: [SubmitRequest] = []
        var queried: [String] = []
        var renewals = 0
        var hasNewCredentials = false
        var serverTime: ServerTime?
    }

    private let state = Mutex(State())
    private let submitScript: SubmitScript
    private let queryScript: QueryScript

    /// - Parameters:
    ///   - submit: called once a request is sent; a failure to answer with, or `nil` to accept.
    ///   - query: what to say of a task; `nil` for the truth.
    init(
        submit: @escaping SubmitScript = { _ in nil },
        query: @escaping QueryScript = { _ in nil }
    ) {
        submitScript = submit
        queryScript = query
    }

    /// Requests that were sent.
    var submitted: [SubmitRequest] { state.withLock { $0.submitted } }
    /// Requests that were accepted.
    var accepted: [SubmitRequest] { state.withLock { $0.accepted } }
    /// Tasks that were asked for.
    var queried: [String] { state.withLock { $0.queried } }
    /// How often the credentials were to be got anew.
    var renewals: Int { state.withLock { $0.renewals } }

    var hasNewCredentials: Bool { state.withLock { $0.hasNewCredentials } }
    var serverTime: ServerTime? { state.withLock { $0.serverTime } }

    func renewCredentials() { state.withLock { $0.renewals += 1 } }

    /// From now on there are credentials that have not been tried, or there are none.
    func setNewCredentials(_ areThere: Bool) { state.withLock { $0.hasNewCredentials = areThere } }

    /// What the clock of the API shows.
    func setServerTime(_ time: ServerTime?) { state.withLock { $0.serverTime = time } }

    func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse {
        if Task.isCancelled { throw Self.interrupted(.notSent) }
        state.withLock { $0.submitted.append(request) }
        if let failure = await submitScript(request) { throw failure }
        if Task.isCancelled { throw Self.interrupted(.unknown) }
        return state.withLock { state in
            let task = "task-\(state.tasks.count + 1)"
            let jobs = request.instances.list.indices.map { "\(task)-job-\($0)" }
            state.tasks[task] = jobs
            state.accepted.append(request)
            return SubmitResponse(taskID: task, jobIDs: JSONText.array(jobs))
        }
    }

    func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
        if Task.isCancelled { throw Self.interrupted(.notSent) }
        state.withLock { $0.queried.append(taskID) }
        if let scripted = await queryScript(taskID) { return try scripted.get() }
        if Task.isCancelled { throw Self.interrupted(.unknown) }
        return try report(of: taskID)
    }

    /// The truth about a task.
    func report(of task: String) throws(ServiceFailure) -> TaskReport {
        guard let jobs = state.withLock({ $0.tasks[task] }) else {
            throw ServiceFailure(
                .refused,
                httpStatus: 400,
                errorCode: "KOOPHONE.API.1323",
                message: "there is no such task"
            )
        }
        let result = InstanceResult(succeeded: true, output: "fine")
        return TaskReport(results: Dictionary(uniqueKeysWithValues: jobs.map { ($0, result) }))
    }

    private static func interrupted(_ outcome: ServiceFailure.Outcome) -> ServiceFailure {
        ServiceFailure(outcome, errorCode: ServiceFailure.Code.interrupted, message: "cancelled")
    }
}
