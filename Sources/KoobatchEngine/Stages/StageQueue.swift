public import KoobatchCore
import Synchronization

/// What a stage waits on: values that are handed to it, a wake-up that says "look again", and the wish that it ends.
///
/// One consumer takes everything that has come so far at once, which is what makes group commits possible. Values are
/// never dropped; wake-ups coalesce. It holds at most as many values as its stage has requests in flight.
public final class StageQueue<Element: Sendable>: Sendable {
    /// What was taken.
    public struct Batch: Sendable {
        /// The values, in the order in which they came.
        public let elements: [Element]
        /// Whether the stage is to end once nothing is in flight.
        public let isStopping: Bool
    }

    struct State {
        var elements: [Element] = []
        var isWoken = false
        var isStopping = false
        var waiter: CheckedContinuation<Void, Never>?

        var isEmpty: Bool { elements.isEmpty && !isWoken }
    }

    let state = Mutex(State())
    private let stage: Supervision.Stage
    private let supervision: Supervision

    /// Creates an empty queue of a stage, whose turns begin and end with `take`.
    init(_ stage: Supervision.Stage, _ supervision: Supervision) {
        self.stage = stage
        self.supervision = supervision
    }

    /// Hands a value over.
    public func put(_ element: Element) {
        change { $0.elements.append(element) }
    }

    /// Wakes the stage.
    public func wake() {
        change { $0.isWoken = true }
    }

    /// Asks the stage to end once nothing is in flight.
    public func stop() {
        change {
            $0.isStopping = true
            $0.isWoken = true
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiter = state.withLock { state in
            body(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Takes what has come, waiting until something has or until the time.
    ///
    /// Not ended by cancellation: a stage is told of that through `stop()`, because it must take the answers to what it
    /// has in flight.
    public func take(until deadline: Timestamp? = nil, time: EngineTime) async -> Batch {
        supervision.waits(stage, atMost: deadline.map { time.pause(until: $0) })
        defer { supervision.works(stage) }
        if let deadline, state.withLock({ $0.isEmpty }) {
            await withTaskGroup { group in
                group.addTask { await self.wait() }
                group.addTask {
                    // A time that has come counts as a wake-up, so that the other task ends whichever was first.
                    if await time.sleep(until: deadline) { self.wake() }
                }
                await group.next()
                group.cancelAll()
            }
        } else {
            await wait()
        }
        // What is being read at this moment comes into the same transaction, in place of one of its own.
        await Task.yield()
        return state.withLock { state in
            defer {
                state.elements = []
                state.isWoken = false
            }
            return Batch(elements: state.elements, isStopping: state.isStopping)
        }
    }

    /// What has come so far and was not taken; it stays.
    var waiting: [Element] {
        state.withLock { $0.elements }
    }

    /// Notes progress in the midst of a long batch.
    func madeProgress() {
        supervision.works(stage)
    }

    /// Notes that the stage has ended.
    func ended() {
        supervision.ended(stage)
    }

    private func wait() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isEmpty { state.waiter = continuation }
                return !state.isEmpty
            }
            if isReady { continuation.resume() }
        }
    }
}
