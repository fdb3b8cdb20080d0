import KoobatchCore
import KoobatchStore
import Logging
import TestSupport
import Testing

@testable import KoobatchEngine

/// What the submitter and the poller do to the gate that they share.
@Suite("The gate to the API")
struct RequestGateTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private static let later = now + .seconds(1)
    private static let refusal = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "C", message: "m")

    private struct Nobody: CommandService {
        let hasNewCredentials = false
        let serverTime: ServerTime? = nil

        func renewCredentials() {}

        func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse { throw refusal }

        func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport { throw refusal }
    }

    private let folder: TemporaryDirectory
    private let gate: RequestGate

    init() async throws {
        folder = try TemporaryDirectory()
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        let store = try Store(path: path)
        gate = RequestGate(
            backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
            ceiling: nil,
            memory: try await store.gateMemory(),
            hasNewCredentials: { false },
            store: store,
            logger: Logger(label: "gate") { _ in SwiftLogNoOpLogHandler() },
            at: Self.now
        )
        let first = gate.admit(1, for: .submission, at: Self.now)
        gate.started(1, of: first, by: .submission, at: Self.now)
        await take(nil, isProbe: true)
    }

    private func take(_ failure: ServiceFailure?, isProbe: Bool = false, at time: Timestamp = now) async {
        _ = await gate.take(
            failure,
            isProbe: isProbe,
            isQuery: false,
            policies: ErrorPolicies([:]),
            renewing: Nobody(),
            at: time
        )
    }

    @Test("stays open where one stage has been admitted before the other opened it")
    func closedMeanwhile() async {
        let admitted = gate.admit(8, for: .submission, at: Self.now)
        #expect(admitted.places == 8 && !admitted.isProbe)
        await take(Self.refusal)
        gate.started(8, of: admitted, by: .submission, at: Self.now)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.pause?.until == Self.now + .seconds(1))
        await take(nil)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.admit(8, for: .poll, at: Self.now).places == 0)
    }

    @Test("is closed and opened by the answer to the probe alone")
    func probe() async {
        await take(Self.refusal)
        let probe = gate.admit(8, for: .submission, at: Self.later)
        #expect(probe.places == 1 && probe.isProbe)
        gate.started(1, of: probe, by: .submission, at: Self.later)
        #expect(gate.admit(8, for: .poll, at: Self.later).places == 0)
        await take(nil, at: Self.later)
        await take(Self.refusal, at: Self.later)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.pause?.until == nil)
        await take(nil, isProbe: true, at: Self.later)
        #expect(gate.pause == nil)
    }

    @Test("lets the next probe go at once when there was nothing to probe with")
    func unusedProbe() async {
        await take(Self.refusal)
        let probe = gate.admit(8, for: .submission, at: Self.later)
        gate.started(0, of: probe, by: .submission, at: Self.later)
        #expect(gate.admit(3, for: .poll, at: Self.later).isProbe)
    }
}
