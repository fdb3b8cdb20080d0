import KoobatchCore
import KoobatchStore
import Logging
import TestSupport
import Testing

@testable import KoobatchEngine

/// What the submitter and the poller do to the line that they share.
@Suite("The line to the API")
struct LineTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private static let later = now + .seconds(1)
    private static let refusal = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "C", message: "m")

    private struct Nobody: CommandService {
        let hasNewCredentials = false
        let serverTime: ServerTime? = nil

        func renewCredentials() {}

        func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitAnswer { throw refusal }

        func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport { throw refusal }
    }

    private let folder: TemporaryDirectory
    private let line: Line

    init() async throws {
        folder = try TemporaryDirectory()
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        let store = try Store(path: path)
        line = Line(
            backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
            ceiling: nil,
            memory: try await store.lineMemory(),
            hasNewCredentials: { false },
            store: store,
            logger: Logger(label: "line") { _ in SwiftLogNoOpLogHandler() },
            at: Self.now
        )
        let first = line.admit(1, for: .submission, at: Self.now)
        line.started(1, of: first, by: .submission, at: Self.now)
        await take(nil, isProbe: true)
    }

    private func take(_ failure: ServiceFailure?, isProbe: Bool = false, at time: Timestamp = now) async {
        _ = await line.take(
            failure,
            isProbe: isProbe,
            isQuery: false,
            policies: ErrorPolicies([:]),
            renewing: Nobody(),
            at: time
        )
    }

    @Test("stays closed where one stage has been admitted before the other closed it")
    func closedMeanwhile() async {
        let admitted = line.admit(8, for: .submission, at: Self.now)
        #expect(admitted.places == 8 && !admitted.isProbe)
        await take(Self.refusal)
        line.started(8, of: admitted, by: .submission, at: Self.now)
        #expect(line.closed?.reason == .credentials)
        #expect(line.closed?.until == Self.now + .seconds(1))
        await take(nil)
        #expect(line.closed?.reason == .credentials)
        #expect(line.admit(8, for: .poll, at: Self.now).places == 0)
    }

    @Test("is opened and closed by the answer to the probe alone")
    func probe() async {
        await take(Self.refusal)
        let probe = line.admit(8, for: .submission, at: Self.later)
        #expect(probe.places == 1 && probe.isProbe)
        line.started(1, of: probe, by: .submission, at: Self.later)
        #expect(line.admit(8, for: .poll, at: Self.later).places == 0)
        await take(nil, at: Self.later)
        await take(Self.refusal, at: Self.later)
        #expect(line.closed?.reason == .credentials)
        #expect(line.closed?.until == nil)
        await take(nil, isProbe: true, at: Self.later)
        #expect(line.closed == nil)
    }

    @Test("lets the next probe go at once when there was nothing to probe with")
    func unusedProbe() async {
        await take(Self.refusal)
        let probe = line.admit(8, for: .submission, at: Self.later)
        line.started(0, of: probe, by: .submission, at: Self.later)
        #expect(line.admit(3, for: .poll, at: Self.later).isProbe)
    }
}
