import KooPhoneSimulator
import KoobatchCore
import Logging
import Synchronization
import Testing

@testable import KoobatchCloud

/// When tokens are bought.
@Suite
struct IAMTokenTests {
    /// A shop of numbered tokens that live for 1,000 seconds unless it is told otherwise, with a clock.
    private final class Shop: Sendable {
        private struct State {
            var seconds: Int64 = 0
            var life: Int64 = 1_000
            var sold = 0
            var failure: ServiceFailure?
            var isClosed = false
            var doors: [CheckedContinuation<Void, Never>] = []
        }

        private let state = Mutex(State())
        private let visits: AsyncStream<Void>
        private let visit: AsyncStream<Void>.Continuation

        init() {
            (visits, visit) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        }

        var sold: Int { state.withLock { $0.sold } }

        func pass(_ seconds: Int64) { state.withLock { $0.seconds += seconds } }

        func fail(_ failure: ServiceFailure?) { state.withLock { $0.failure = failure } }

        func sell(livingFor seconds: Int64) { state.withLock { $0.life = seconds } }

        func close() { state.withLock { $0.isClosed = true } }

        func open() {
            let doors = state.withLock { state in
                state.isClosed = false
                defer { state.doors = [] }
                return state.doors
            }
            for door in doors { door.resume() }
        }

        /// Waits until somebody stands before the closed shop.
        func waitForVisit() async {
            for await _ in visits { return }
        }

        var tokens: IAMToken {
            IAMToken(logger: Logger(label: "iam") { _ in Silence() }, uptime: uptime) { () throws(ServiceFailure) in
                await self.enter()
                if Task.isCancelled { throw TransportFailure.interruptedBefore }
                return try self.sell().get()
            }
        }

        @Sendable private func uptime() -> Duration {
            .seconds(state.withLock { $0.seconds })
        }

        private func enter() async {
            await withCheckedContinuation { door in
                let isOpen = state.withLock { state in
                    if state.isClosed { state.doors.append(door) }
                    return !state.isClosed
                }
                if isOpen { door.resume() } else { visit.yield() }
            }
        }

        private func sell() -> Result<IssuedToken, ServiceFailure> {
            let now = uptime()
            return state.withLock { state in
                state.sold += 1
                if let failure = state.failure { return .failure(failure) }
                return .success(
                    IssuedToken(text: "token-\(state.sold)", issuedAt: now, life: .seconds(state.life))
                )
            }
        }
    }

    private static let wrongPassword = ServiceFailure(.unauthenticated, errorCode: "iam", message: "no")

    @Test
    func `A token is bought once and used until three quarters of its life are over`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        #expect(try await tokens.token() == "token-1")
        shop.pass(749)
        #expect(try await tokens.token() == "token-1")
        shop.pass(1)
        #expect(try await tokens.token() == "token-2")
        #expect(try await tokens.token() == "token-2")
    }

    @Test
    func `A token of a short life is not bought for each request`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        shop.sell(livingFor: 40)
        #expect(try await tokens.token() == "token-1")
        shop.pass(29)
        #expect(try await tokens.token() == "token-1")
        shop.fail(Self.wrongPassword)
        shop.pass(6)
        #expect(try await tokens.token() == "token-1")
        shop.pass(1)
        await #expect(throws: Self.wrongPassword) { try await tokens.token() }
    }

    @Test
    func `A token that was refused is renewed, once`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        #expect(try await tokens.token() == "token-1")
        tokens.refused("token-1")
        #expect(try await tokens.token() == "token-2")
        tokens.refused("token-1")
        #expect(try await tokens.token() == "token-2")
    }

    @Test
    func `A renewal that fails leaves the old token in force until its end`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        #expect(try await tokens.token() == "token-1")
        shop.fail(Self.wrongPassword)
        shop.pass(800)
        #expect(try await tokens.token() == "token-1")
        #expect(try await tokens.token() == "token-1")
        #expect(shop.sold == 2)
        shop.pass(60)
        #expect(try await tokens.token() == "token-1")
        #expect(shop.sold == 3)
        shop.pass(80)
        await #expect(throws: Self.wrongPassword) { try await tokens.token() }
    }

    @Test
    func `While one asks for a token, the others wait for it`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        shop.close()
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<32 { group.addTask { try await tokens.token() } }
            await shop.waitForVisit()
            shop.open()
            for try await token in group { #expect(token == "token-1") }
        }
        #expect(shop.sold == 1)
    }

    @Test
    func `While one renews a token, the others use the old one`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        #expect(try await tokens.token() == "token-1")
        shop.pass(800)
        shop.close()
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { try await tokens.token() }
            await shop.waitForVisit()
            let old = try await tokens.token()
            #expect(old == "token-1")
            shop.open()
            let new = try await group.next()
            #expect(new == "token-2")
        }
    }

    @Test
    func `When the one who asks is cancelled, another asks`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        shop.close()
        await withTaskGroup(of: Result<String, ServiceFailure>.self) { group in
            let first = Task { try await tokens.token() }
            await shop.waitForVisit()
            group.addTask { await Self.result(of: tokens) }
            first.cancel()
            shop.open()
            await #expect(throws: TransportFailure.interruptedBefore) { try await first.value }
            #expect(await group.next() == .success("token-1"))
        }
    }

    @Test
    func `One who waits for a token can be cancelled`() async throws {
        let shop = Shop()
        let tokens = shop.tokens
        shop.close()
        await withTaskGroup(of: Result<String, ServiceFailure>.self) { group in
            group.addTask { await Self.result(of: tokens) }
            await shop.waitForVisit()
            let second = Task { try await tokens.token() }
            second.cancel()
            await #expect(throws: TransportFailure.interruptedBefore) { try await second.value }
            shop.open()
            #expect(await group.next() == .success("token-1"))
        }
    }

    private static func result(of tokens: IAMToken) async -> Result<String, ServiceFailure> {
        do throws(ServiceFailure) {
            return .success(try await tokens.token())
        } catch {
            return .failure(error)
        }
    }
}
