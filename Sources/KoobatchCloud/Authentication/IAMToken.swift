import KoobatchCore
import Logging
import Synchronization

/// The token in force, renewed at 75% of its lifetime and after a 401.
///
/// It goes by a clock that is never set: a token lives for as long as IAM's clock says, whatever ours shows.
///
/// However many requests need one, one at a time asks for a token: the others wait for what it gets, or go on with the
/// old token while that lives. A failure is everybody's, so that a wrong password is not tried once for each of them.
final class IAMToken: Sendable {
    private static let pauseAfterFailedRenewal = Duration.seconds(60)
    /// A token is not sent within this time of its end, or a tenth of its life if that is less: clocks differ, and
    /// requests take time.
    private static let longestMargin = Duration.seconds(60)

    private typealias Waiter = CheckedContinuation<Settlement, Never>

    private enum Settlement: Sendable {
        case settled(Result<String, ServiceFailure>)
        /// Whoever asked for a token gave up: somebody else has to.
        case startOver
    }

    private struct State {
        var token: IssuedToken?
        var renewAt: Duration?
        var isAsking = false
        var waiters: [Int: Waiter] = [:]
        var lastWaiter = 0
    }

    private enum Step {
        case use(String)
        case ask
        case wait(Int)
    }

    private let logger: Logger
    private let uptime: @Sendable () -> Duration
    private let issue: @Sendable () async throws(ServiceFailure) -> IssuedToken
    private let state = Mutex(State())

    init(
        logger: Logger,
        uptime: @escaping @Sendable () -> Duration,
        issue: @escaping @Sendable () async throws(ServiceFailure) -> IssuedToken
    ) {
        self.logger = logger
        self.uptime = uptime
        self.issue = issue
    }

    /// The token.
    ///
    /// - Throws: why there is none, or that the task was cancelled.
    func token() async throws(ServiceFailure) -> String {
        while true {
            switch nextStep() {
            case .use(let token):
                return token
            case .ask:
                return try await ask()
            case .wait(let number):
                if case .settled(let result) = await wait(number) { return try result.get() }
                if Task.isCancelled { throw TransportFailure.interruptedBefore }
            }
        }
    }

    /// Notes that the API refused a token: if it is still the one in force, the next request buys another.
    func refused(_ token: String) {
        state.withLock { state in
            if state.token?.text == token { state.token = nil }
        }
    }

    /// Has the next request buy another token.
    func buyAnother() {
        state.withLock { $0.token = nil }
    }

    private func nextStep() -> Step {
        let now = uptime()
        return state.withLock { state in
            if let token = state.token, Self.isUsable(token, at: now) {
                if state.isAsking || state.renewAt.map({ now < $0 }) == true { return .use(token.text) }
                state.isAsking = true
                return .ask
            }
            if state.isAsking {
                state.lastWaiter += 1
                return .wait(state.lastWaiter)
            }
            state.isAsking = true
            return .ask
        }
    }

    private func ask() async throws(ServiceFailure) -> String {
        let issued: IssuedToken
        do {
            issued = try await issue()
        } catch {
            return try settle(error)
        }
        let waiters = state.withLock { state in
            state.token = issued
            state.renewAt = issued.issuedAt + issued.life / 4 * 3
            return Self.finish(&state)
        }
        logger.info("Got a token", metadata: [LogKeys.life: "\(issued.life.components.seconds)"])
        for waiter in waiters { waiter.resume(returning: .settled(.success(issued.text))) }
        return issued.text
    }

    /// Ends an attempt that failed: with the old token if that lives still, else with the failure.
    private func settle(_ failure: ServiceFailure) throws(ServiceFailure) -> String {
        let now = uptime()
        let wasInterrupted = failure.errorCode == ServiceFailure.Code.interrupted
        let (token, waiters) = state.withLock { state -> (String?, [Waiter]) in
            let token = state.token.flatMap { Self.isUsable($0, at: now) ? $0.text : nil }
            if token != nil, !wasInterrupted { state.renewAt = now + Self.pauseAfterFailedRenewal }
            return (token, Self.finish(&state))
        }
        let settlement: Settlement =
            if let token {
                .settled(.success(token))
            } else {
                wasInterrupted ? .startOver : .settled(.failure(failure))
            }
        for waiter in waiters { waiter.resume(returning: settlement) }
        guard let token, !wasInterrupted else { throw failure }
        logger.warning(
            "The token could not be renewed; the old one is used while it lives",
            metadata: [LogKeys.message: "\(failure.message)"]
        )
        return token
    }

    private static func isUsable(_ token: IssuedToken, at now: Duration) -> Bool {
        now + min(longestMargin, token.life / 10) < token.issuedAt + token.life
    }

    private static func finish(_ state: inout State) -> [Waiter] {
        state.isAsking = false
        defer { state.waiters = [:] }
        return Array(state.waiters.values)
    }

    private func wait(_ number: Int) async -> Settlement {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isTooLate = state.withLock { state in
                    // The answer may have come, or the task may have been cancelled, before this was reached.
                    if !state.isAsking || Task.isCancelled { return true }
                    state.waiters[number] = waiter
                    return false
                }
                if isTooLate { waiter.resume(returning: .startOver) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
            waiter?.resume(returning: .startOver)
        }
    }
}
