import KoobatchCloud
import KoobatchCore
import Logging
import Synchronization

/// The client of the configuration in force.
///
/// Requests in flight when the configuration changes end with the client that they began with.
final class CurrentClient: CommandService {
    /// A client and the requests that it has in flight.
    private final class Lease: Sendable {
        private struct State {
            var inFlight = 0
            var isClosed = false
            var isTried = false
            /// Those who wait for the end of what is in flight; each reload begins to wait once more.
            var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
            var nextWaiter = 0
        }

        let client: KooPhoneClient
        private let state = Mutex(State())

        init(_ client: KooPhoneClient) {
            self.client = client
        }

        func begin() {
            state.withLock { state in
                state.inFlight += 1
                state.isTried = true
            }
        }

        /// Whether nothing was sent with its credentials yet, or they have changed since.
        var hasNewCredentials: Bool {
            state.withLock { !$0.isTried } || client.hasNewCredentials
        }

        func end() {
            let waiters = state.withLock { state in
                state.inFlight -= 1
                if state.inFlight > 0 { return [CheckedContinuation<Void, Never>]() }
                defer { state.waiters = [:] }
                return Array(state.waiters.values)
            }
            for waiter in waiters { waiter.resume() }
        }

        /// Waits until nothing is in flight, or the task is cancelled.
        func idle() async {
            let number = state.withLock { state in
                defer { state.nextWaiter += 1 }
                return state.nextWaiter
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let waits = state.withLock { state in
                        if state.inFlight == 0 || Task.isCancelled { return false }
                        state.waiters[number] = continuation
                        return true
                    }
                    if !waits { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
            }
        }

        /// Closes the client, once.
        func shutdown() async throws {
            let isFirst = state.withLock { state in
                defer { state.isClosed = true }
                return !state.isClosed
            }
            if isFirst { try await client.shutdown() }
        }
    }

    private struct State {
        var current: Lease
        var retired: [Lease] = []
        var submitted = 0
        var submitting = 0
    }

    private let logger: Logger
    private let state: Mutex<State>

    init(_ configuration: KooPhoneClient.Configuration, logger: Logger) {
        self.logger = logger
        state = Mutex(State(current: Lease(KooPhoneClient(configuration: configuration, logger: logger))))
    }

    /// Instances that the API has accepted so far.
    var submitted: Int { state.withLock { $0.submitted } }

    /// Submissions in flight.
    var submitting: Int { state.withLock { $0.submitting } }

    var hasNewCredentials: Bool { state.withLock { $0.current }.hasNewCredentials }

    var serverTime: ServerTime? { state.withLock { $0.current }.client.serverTime }

    /// Notes that an earlier daemon's credentials were refused.
    func credentialsWereRefusedBefore() { state.withLock { $0.current }.client.credentialsWereRefusedBefore() }

    func renewCredentials() { state.withLock { $0.current }.client.renewCredentials() }

    /// Reads the file with the secret again before the next request.
    func readSecretAgain() { state.withLock { $0.current }.client.readSecretAgain() }

    func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse {
        let lease = take()
        state.withLock { $0.submitting += 1 }
        defer {
            state.withLock { $0.submitting -= 1 }
            lease.end()
        }
        let answer = try await lease.client.submit(request)
        state.withLock { $0.submitted += request.instances.count - answer.missing.count }
        return answer
    }

    func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
        let lease = take()
        defer { lease.end() }
        return try await lease.client.query(taskID: taskID, requestID: requestID)
    }

    private func take() -> Lease {
        state.withLock { state in
            state.current.begin()
            return state.current
        }
    }

    /// Sends further requests with another configuration.
    func change(to configuration: KooPhoneClient.Configuration) {
        let next = Lease(KooPhoneClient(configuration: configuration, logger: logger))
        state.withLock { state in
            state.retired.append(state.current)
            state.current = next
        }
    }

    /// Closes the clients that `change` replaced, when their last requests have ended or the task is cancelled.
    func closeRetired() async throws {
        while let lease = state.withLock({ $0.retired.first }) {
            await lease.idle()
            try Task.checkCancellation()
            state.withLock { state in state.retired.removeAll { $0 === lease } }
            try await lease.shutdown()
        }
    }

    /// Ends every request in flight and closes all connections.
    func shutdown() async throws {
        let all = state.withLock { $0.retired + [$0.current] }
        for lease in all { try await lease.shutdown() }
    }
}
