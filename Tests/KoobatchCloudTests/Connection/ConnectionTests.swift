import Foundation
import KoobatchCore
import NIOCore
import NIOPosix
import Synchronization
import ServiceConformance
import Testing

@testable import KoobatchCloud

@Suite
struct ConnectionTests {
    @Test
    func `Six requests over fresh connections are accepted where a second one is not answered`() async throws {
        try await RawServer.serving(.answerOnce(RawServer.acceptance)) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for number in 1...6 {
                    let request = SubmitRequest.sample(id: "fresh-\(number)", needsFreshConnection: true)
                    #expect(await client.failure(of: request) == nil)
                }
            }
            #expect(server.connectionCount == 6)
        }
    }

    @Test
    func `Other requests share a connection`() async throws {
        try await RawServer.serving(.answer(RawServer.acceptance)) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for number in 1...6 { #expect(await client.failure(of: .sample(id: "\(number)")) == nil) }
            }
            #expect(server.connectionCount == 1)
        }
    }

    @Test
    func `A connection at its greatest age is closed after the answer, however busy it is`() async throws {
        try await RawServer.serving(.answer(RawServer.acceptance)) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)", connectionAge: { .zero }) { client in
                for number in 1...6 { #expect(await client.failure(of: .sample(id: "\(number)")) == nil) }
            }
            #expect(server.connectionCount == 6)
        }
    }

    @Test
    func `The greatest age is about five minutes, and not the same for all`() {
        let ages = (0..<100).map { _ in KooPhoneClient.connectionAge() }
        #expect(ages.allSatisfy { (.minutes(4) ... .minutes(5)).contains($0) } && Set(ages).count > 1)
    }

    /// A clock that was stopped for a while, and a pause that takes as long as the clock says.
    private final class SuspendedTime: Sendable {
        private let state = Mutex((now: ContinuousClock.now, suspensions: [Duration]()))
        private let pauses = Mutex<[Duration]>([])

        init(_ suspensions: [Duration]) {
            state.withLock { $0.suspensions = suspensions }
        }

        var now: ContinuousClock.Instant { state.withLock { $0.now } }
        var timer: LimitTimer { LimitTimer(now: { self.now }, pause: { self.pause($0) }) }
        var waited: [Duration] { pauses.withLock { $0 } }

        func pause(_ duration: Duration) {
            pauses.withLock { $0.append(duration) }
            state.withLock { state in
                state.now += duration + (state.suspensions.isEmpty ? .zero : state.suspensions.removeFirst())
            }
        }
    }

    @Test(
        arguments: [
            ([], [30]), ([.milliseconds(50)], [30]), ([.seconds(60)], [30, 1]),
            ([.seconds(60), .seconds(9)], [30, 1, 1]),
            (Array(repeating: .seconds(9), count: 20), [30, 1, 1, 1, 1, 1]),
        ] as [([Duration], [Int])]
    )
    func `A timer that is late because the process was suspended gives a last second to read`(
        _ suspensions: [Duration],
        _ waited: [Int]
    ) async throws {
        let time = SuspendedTime(suspensions)
        await #expect(throws: TimedOut.self) {
            try await TimeLimit(.seconds(30), timer: time.timer).run {
                try await Task.sleep(for: .seconds(3_600))
            }
        }
        #expect(time.waited == waited.map { .seconds($0) })
    }

    @Test
    func `One timer serves all requests, and each that is late is ended`() async throws {
        let time = SuspendedTime([])
        let limit = TimeLimit(.seconds(30), timer: time.timer)
        for _ in 0..<2 {
            await #expect(throws: TimedOut.self) { try await limit.run { try await Task.sleep(for: .seconds(3_600)) } }
        }
        #expect(time.waited == [.seconds(30), .seconds(30)])
        let slow = SuspendedTime([])
        let endless = LimitTimer(now: { slow.now }) {
            slow.pause($0)
            try await Task.sleep(for: .seconds(3_600))
        }
        let patient = TimeLimit(.seconds(30), timer: endless)
        for number in 0..<100 { #expect(try await patient.run { number } == number) }
        #expect(slow.waited.count <= 1)
    }

    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func `No descriptor for a connection is no fault of the endpoint`(_ code: Int32) {
        let failure = TransportFailure(
            error: IOError(errnoCode: code, reason: "socket"),
            began: false,
            host: "h",
            proxy: nil,
            timeout: .seconds(1)
        ).classified
        #expect(failure.outcome == .notSent && !failure.isOfEndpoint)
        #expect(failure.errorCode == ServiceFailure.Code.resources && failure.message.contains("LimitNOFILE="))
    }
}
