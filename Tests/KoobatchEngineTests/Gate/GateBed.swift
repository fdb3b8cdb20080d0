import KoobatchCore
import Synchronization
import TestSupport

@testable import KoobatchEngine
@testable import KoobatchStore

/// A gate by itself, and answers to feed it with.
struct GateBed: Sendable {
    /// An answer to a submission.
    struct Answer: RequestAnswer {
        static let isQuery = false
        let failure: ServiceFailure?

        func failing(_ failure: ServiceFailure) -> Answer { Answer(failure: failure) }
    }

    private final class Counter: Sendable {
        private let state = Mutex(0)
        var count: Int { state.withLock { $0 } }
        func increment() { state.withLock { $0 += 1 } }
    }

    let bed: EngineBed
    let gate: RequestGate
    private let counter = Counter()

    var service: ScriptedService { bed.service }
    /// How often the gate has told of a change.
    var changes: Int { counter.count }

    init(ceiling: Double? = nil, at now: Timestamp) async throws {
        bed = try await EngineBed()
        gate = RequestGate(
            backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
            ceiling: ceiling,
            memory: try await bed.store.gateMemory(),
            service: bed.service,
            store: bed.store,
            logger: bed.log.logger,
            at: now,
            changed: { [counter] in counter.increment() }
        )
    }

    func take(_ failure: ServiceFailure?, isProbe: Bool = false, at time: Timestamp) async throws {
        _ = try await gate.take([Answer(failure: failure)], isProbe: { _ in isProbe }, at: time)
    }

    func run(_ sql: String) async throws { try await bed.run(sql) }

    func rows(_ sql: String) async throws -> [String] { try await bed.rows(sql) }
}
