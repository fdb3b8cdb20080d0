import KoobatchCore
import Synchronization
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// What the submitter does when the circuit opens and closes with requests out.
@Suite("The submitter at the gate")
struct SubmissionGateTests {
    private static let refusal = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "C", message: "m")

    private let bed: EngineBed
    private var driver: SubmissionDriver

    /// Four requests are out, after a first that was accepted.
    init() async throws {
        bed = try await EngineBed(chunkSize: 1)
        try await bed.insert(1, prefix: "first")
        driver = try SubmissionDriver(bed)
        try await driver.drain()
        try await bed.insert(8)
    }

    private func answer(_ claim: ClaimedChunk, _ failure: ServiceFailure?) async {
        let result: Result<SubmitResponse, ServiceFailure>
        do throws(ServiceFailure) {
            if let failure { throw failure }
            result = .success(try await bed.service.submit(claim.request))
        } catch {
            result = .failure(error)
        }
        bed.queues.submitter.put(AttemptResult(claim: claim, result: result, finishedAt: bed.clock.now))
    }

    private mutating func claims() async throws -> [ClaimedChunk] {
        try #require(try await driver.turn().work?.batch.claims)
    }

    @Test("starts nothing after a refusal of the credentials, and records what was out")
    mutating func closesInFlight() async throws {
        let out = try await claims()
        #expect(out.count == 4)
        await answer(out[0], Self.refusal)
        let held = try await driver.turn()
        #expect(held.work?.batch.claims.isEmpty == true)
        #expect(
            try await driver.turn().wakeAt == bed.clock.now + .seconds(1),
            "looks whether there are other credentials"
        )
        for claim in out[1...] { await answer(claim, nil) }
        let recorded = try await driver.turn()
        #expect(recorded.work?.recorded.count == 3 && recorded.work?.batch.claims.isEmpty == true)
        #expect(bed.gate.pause?.reason == .credentials, "older acceptances prove nothing")
        #expect(driver.state.inFlight == 0)
        bed.clock.advance(by: .seconds(1))
        let probe = try await claims()
        #expect(probe.count == 1)
        await answer(probe[0], nil)
        #expect(try await claims().count == 4, "it flows again")
        #expect(try await bed.rows("SELECT max(attempts) FROM chunks") == ["1"], "a refused login is no attempt")
    }

    @Test("probes at once with credentials that were renewed while requests are out")
    mutating func renewed() async throws {
        let out = try await claims()
        await answer(out[0], Self.refusal)
        _ = try await driver.turn()
        bed.service.setNewCredentials(true)
        let probe = try await claims()
        #expect(probe.count == 1)
        bed.service.setNewCredentials(false)
        // The others were sent with the old ones.
        for claim in out[1...] { await answer(claim, Self.refusal) }
        #expect(try await driver.turn().work?.batch.claims.isEmpty == true)
        #expect(bed.gate.pause?.until == nil, "the probe is out")
        await answer(probe[0], nil)
        #expect(try await claims().count == 4)
    }

    @Test(
        "sends the next probe where one was lost",
        arguments: [ServiceFailure.Outcome.notSent, .unknown]
    )
    mutating func lostProbe(_ outcome: ServiceFailure.Outcome) async throws {
        let out = try await claims()
        for claim in out { await answer(claim, Self.refusal) }
        _ = try await driver.turn()
        bed.clock.advance(by: .seconds(1))
        let probe = try await claims()
        #expect(probe.count == 1)
        await answer(probe[0], ServiceFailure(outcome, errorCode: ServiceFailure.Code.interrupted, message: "m"))
        let next = try await claims()
        #expect(next.count == 1 && bed.gate.pause?.reason == .credentials)
        await answer(next[0], nil)
        #expect(try await claims().count == 4)
    }

    @Test("leaves the probe to whoever comes next where the database does not take its claim")
    mutating func unclaimedProbe() async throws {
        let out = try await claims()
        for claim in out { await answer(claim, Self.refusal) }
        _ = try await driver.turn()
        bed.clock.advance(by: .seconds(1))
        try await bed.lock()
        #expect(try await driver.turn().work == nil)
        #expect(bed.gate.admit(1, for: .poll, at: bed.clock.now).isProbe)
        try await bed.unlock()
    }

    @Test("charges no attempt while the endpoint as a whole fails")
    mutating func endpointFails() async throws {
        let page = ServiceFailure(
            .refused,
            httpStatus: 404,
            errorCode: "koobatch.http.404",
            message: "m",
            endpointFault: .certain
        )
        // Of a code that is to be tried again, and would count at any other time.
        try await bed.run("INSERT INTO error_policies (code, action) VALUES ('RETRY', 'retry')")
        let retry = ServiceFailure(.refused, httpStatus: 400, errorCode: "RETRY", message: "m")
        let out = try await claims()
        for (claim, failure) in zip(out, [page, retry, retry, page]) { await answer(claim, failure) }
        _ = try await driver.turn()
        #expect(bed.gate.pause?.reason == .endpoint)
        #expect(try await bed.rows("SELECT DISTINCT attempts FROM chunks WHERE state = 'pending'") == ["0"])
        #expect(bed.said("Circuit open: requests paused") == 1)
    }
}
