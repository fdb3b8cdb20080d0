import CoreMetrics
import KoobatchCore

/// What the stages measure, by way of swift-metrics; the names and what they mean are public.
///
/// Instances share what they count.
public struct EngineMetrics: Sendable {
    /// Requests by operation (`submit`, `query`) and outcome.
    public static let requests = "koobatch_requests_total"
    /// How long requests took, by operation.
    public static let duration = "koobatch_request_duration_seconds"
    /// Chunks that jobs were cut into.
    public static let planned = "koobatch_chunks_planned_total"
    /// Jobs that finished, by state.
    public static let finished = "koobatch_jobs_finished_total"
    /// Attempts to use the database that failed.
    public static let databaseErrors = "koobatch_database_errors_total"

    enum Operation: String, CaseIterable {
        case submit
        case query
    }

    private static let outcomes = ["accepted"] + ServiceFailure.Outcome.allCases.map(\.rawValue)

    private let requests: [String: Counter]
    private let durations: [Operation: Timer]
    private let planned = Counter(label: Self.planned)
    private let finished: [CommandJobState: Counter]
    private let databaseErrors = Counter(label: Self.databaseErrors)

    /// Everything starts at 0, so that the first increase is seen as one.
    init() {
        var requests: [String: Counter] = [:]
        var durations: [Operation: Timer] = [:]
        for operation in Operation.allCases {
            let name = ("operation", operation.rawValue)
            durations[operation] = Timer(label: Self.duration, dimensions: [name])
            for outcome in Self.outcomes {
                requests[operation.rawValue + outcome] = Counter(
                    label: Self.requests,
                    dimensions: [name, ("outcome", outcome)]
                )
            }
        }
        self.requests = requests
        self.durations = durations
        let ends = CommandJobState.allCases.filter { ![.queued, .running, .paused].contains($0) }
        finished = Dictionary(
            uniqueKeysWithValues: ends.map { ($0, Counter(label: Self.finished, dimensions: [("state", $0.rawValue)])) }
        )
    }

    func answered(_ operation: Operation, _ failure: ServiceFailure?, after time: Duration) {
        requests[operation.rawValue + (failure?.outcome.rawValue ?? "accepted")]?.increment()
        durations[operation]?.recordNanoseconds(Int64(time / .nanoseconds(1)))
    }

    func planned(_ chunks: Int) { planned.increment(by: chunks) }

    func finished(_ state: CommandJobState) { finished[state]?.increment() }

    func databaseFailed() { databaseErrors.increment() }
}

/// The API with its answers counted and timed.
struct MeasuredService: CommandService {
    private let service: any CommandService
    private let metrics = EngineMetrics()

    init(_ service: any CommandService) {
        self.service = service
    }

    var hasNewCredentials: Bool { service.hasNewCredentials }

    var serverTime: ServerTime? { service.serverTime }

    func renewCredentials() { service.renewCredentials() }

    func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse {
        try await measured(.submit) { () async throws(ServiceFailure) in try await service.submit(request) }
    }

    func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
        try await measured(.query) { () async throws(ServiceFailure) in
            try await service.query(taskID: taskID, requestID: requestID)
        }
    }

    private func measured<Answer>(
        _ operation: EngineMetrics.Operation,
        _ body: () async throws(ServiceFailure) -> Answer
    ) async throws(ServiceFailure) -> Answer {
        let begin = ContinuousClock.now
        do {
            let answer = try await body()
            metrics.answered(operation, nil, after: .now - begin)
            return answer
        } catch {
            metrics.answered(operation, error, after: .now - begin)
            throw error
        }
    }
}
