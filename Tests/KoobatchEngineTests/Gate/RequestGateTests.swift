import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// What the submitter and the poller do to the gate that they share.
@Suite("The gate to the API")
struct RequestGateTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private static let later = now + .seconds(1)
    private static let refusal = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "C", message: "m")

    private let bed: GateBed
    private var gate: RequestGate { bed.gate }

    init() async throws {
        bed = try await GateBed(at: Self.now)
        let first = gate.admit(1, for: .submission, at: Self.now)
        gate.started(1, of: first, by: .submission, at: Self.now)
        try await take(nil, isProbe: true)
    }

    private func take(_ failure: ServiceFailure?, isProbe: Bool = false, at time: Timestamp = now) async throws {
        try await bed.take(failure, isProbe: isProbe, at: time)
    }

    @Test("stays open where one stage has been admitted before the other opened it")
    func closedMeanwhile() async throws {
        let admitted = gate.admit(8, for: .submission, at: Self.now)
        #expect(admitted.places == 8 && !admitted.isProbe)
        try await take(Self.refusal)
        gate.started(8, of: admitted, by: .submission, at: Self.now)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.pause?.until == Self.now + .seconds(1))
        try await take(nil)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.admit(8, for: .poll, at: Self.now).places == 0)
    }

    @Test("is closed and opened by the answer to the probe alone")
    func probe() async throws {
        try await take(Self.refusal)
        let probe = gate.admit(8, for: .submission, at: Self.later)
        #expect(probe.places == 1 && probe.isProbe)
        gate.started(1, of: probe, by: .submission, at: Self.later)
        #expect(gate.admit(8, for: .poll, at: Self.later).places == 0)
        try await take(nil, at: Self.later)
        try await take(Self.refusal, at: Self.later)
        #expect(gate.pause?.reason == .credentials)
        #expect(gate.pause?.until == nil)
        try await take(nil, isProbe: true, at: Self.later)
        #expect(gate.pause == nil)
    }

    @Test("lets the next probe go at once when there was nothing to probe with")
    func unusedProbe() async throws {
        try await take(Self.refusal)
        let probe = gate.admit(8, for: .submission, at: Self.later)
        gate.started(0, of: probe, by: .submission, at: Self.later)
        #expect(gate.admit(3, for: .poll, at: Self.later).isProbe)
    }

    @Test("lets a probe go at once when there are new credentials, whatever the older requests bring meanwhile")
    func newCredentials() async throws {
        let before = gate.admit(3, for: .submission, at: Self.now)
        gate.started(3, of: before, by: .submission, at: Self.now)
        try await take(Self.refusal)
        #expect(gate.admit(3, for: .submission, at: Self.now).places == 0)
        #expect(gate.nextLook(at: Self.now) == Self.now + .seconds(1), "looks whether there are others")
        bed.service.setNewCredentials(true)
        let probe = gate.admit(3, for: .submission, at: Self.now)
        #expect(probe.places == 1 && probe.isProbe)
        gate.started(1, of: probe, by: .submission, at: Self.now)
        // Of requests with the old ones.
        try await take(Self.refusal)
        try await take(Self.refusal)
        #expect(gate.pause?.until == nil, "the probe is out")
        try await take(nil, isProbe: true)
        #expect(gate.pause == nil)
    }

    @Test("has the credentials renewed where only a policy says that they are refused")
    func policyRefusesCredentials() async throws {
        try await bed.run("INSERT INTO error_policies (code, action) VALUES ('LOGIN', 'authenticate')")
        try await take(ServiceFailure(.refused, httpStatus: 403, errorCode: "LOGIN", message: "m"))
        #expect(gate.pause?.reason == .credentials && bed.service.renewals == 1)
        // The client knows itself of an answer of 401.
        try await take(Self.refusal)
        #expect(bed.service.renewals == 1)
    }

    @Test("tells those who wait when it opens and closes, and not between")
    func tells() async throws {
        #expect(bed.changes == 1, "it has closed after the first acceptance")
        try await take(nil)
        #expect(bed.changes == 1)
        try await take(Self.refusal)
        #expect(bed.changes == 2)
        let probe = gate.admit(1, for: .poll, at: Self.later)
        gate.started(1, of: probe, by: .poll, at: Self.later)
        #expect(gate.nextLook(at: Self.later) == Self.later + .seconds(1))
        try await take(nil, isProbe: true, at: Self.later)
        #expect(bed.changes == 3)
    }

    @Test("opens at once for a failure that no other request would escape, and after a few that may be chance")
    func endpoint() async throws {
        let suspected = ServiceFailure(.unknown, httpStatus: 502, errorCode: "koobatch.http.502", message: "m")
        for _ in 1..<CircuitBreaker.failuresToOpen { try await take(suspected) }
        #expect(gate.pause == nil && !gate.isEndpointFailing)
        try await take(suspected)
        #expect(gate.pause?.reason == .endpoint && gate.isEndpointFailing)
    }

    @Test("learns a rate, writes it down, and holds requests until the next one may start")
    func rate() async throws {
        let throttled = ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "limit:20,time:1 second")
        try await take(throttled)
        let rate = try #require(gate.requestsPerSecond)
        #expect(rate < 20)
        #expect(gate.admit(9, for: .submission, at: Self.now).places == 0)
        let look = gate.nextLook(at: Self.now)
        #expect(look > Self.now && look <= Self.now + .seconds(1))
        #expect(try await bed.rows("SELECT requests_per_second FROM daemon_state") == ["\(rate)"])
        gate.change(backoff: Backoff(base: .seconds(1), maximum: .seconds(60)), ceiling: 3)
        #expect(gate.requestsPerSecond == 3)
    }

    @Test("says when its state cannot be written, and works all the same")
    func unwritten() async throws {
        try await bed.bed.lock()
        try await take(ServiceFailure(.unknown, errorCode: ServiceFailure.Code.interrupted, message: "m"))
        let admitted = gate.admit(1, for: .submission, at: Self.now)
        gate.started(1, of: admitted, by: .submission, at: Self.now)
        try await take(Self.refusal)
        #expect(bed.bed.said("The state of the circuit is not recorded") == 1)
        #expect(gate.pause?.reason == .credentials)
        try await bed.bed.unlock()
    }

    @Test("begins with what the daemon before it knew", arguments: [(30, true), (61, false), (-1, false)])
    func memory(_ seconds: Int64, _ isPaused: Bool) async throws {
        let until = Self.now + .seconds(seconds)
        try await bed.bed.runAsDaemon("UPDATE daemon_state SET paused_until = '\(until)', requests_per_second = 5")
        let gate = RequestGate(
            backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
            ceiling: nil,
            memory: try await bed.bed.store.gateMemory(),
            service: bed.service,
            store: bed.bed.store,
            logger: bed.bed.log.logger,
            at: Self.now
        )
        #expect(gate.requestsPerSecond == 5)
        #expect(gate.pause?.reason == (isPaused ? .throttled : .unproven))
        #expect(gate.admit(4, for: .submission, at: Self.now).places == (isPaused ? 0 : 1))
    }
}
