import KoobatchCore
import Synchronization
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("The queue of a stage", .timeLimit(.minutes(1)))
struct StageQueueTests {
    private let clock = ManualTime()
    private let supervision = Supervision { _ in (nil, nil) }
    private let queue: StageQueue<Int>

    init() {
        queue = StageQueue(.submitter, supervision)
    }

    @Test("hands over everything that has come at once, in order, and keeps nothing")
    func values() async {
        for value in 1...3 { queue.put(value) }
        #expect(queue.waiting == [1, 2, 3])
        #expect(await queue.take(time: clock.time).elements == [1, 2, 3])
        #expect(queue.waiting.isEmpty)
    }

    @Test("makes one turn of many wake-ups")
    func coalesces() async {
        for _ in 0..<5 { queue.wake() }
        #expect(await queue.take(time: clock.time).elements.isEmpty)
        #expect(queue.state.withLock { $0.isEmpty }, "the next turn waits")
    }

    @Test("wakes whoever waits for a value, a wake-up or the end", arguments: 0..<3)
    func wakes(_ by: Int) async {
        async let batch = queue.take(time: clock.time)
        switch by {
        case 0: queue.put(7)
        case 1: queue.wake()
        default: queue.stop()
        }
        let taken = await batch
        #expect(taken.elements == (by == 0 ? [7] : []) && taken.isStopping == (by == 2))
    }

    @Test("goes on when the time has come, and is not woken by that again")
    func deadline() async {
        async let batch = queue.take(until: clock.now + .seconds(5), time: clock.time)
        await clock.sleeps(1)
        clock.advance(by: .seconds(5))
        #expect(await batch.elements.isEmpty)
        #expect(queue.state.withLock { $0.isEmpty })
    }

    @Test("does not wait for a time that has passed")
    func past() async {
        let batch = await queue.take(until: clock.now + .seconds(-5), time: clock.time)
        #expect(batch.elements.isEmpty && !batch.isStopping)
    }

    @Test("is not ended by cancellation: what is in flight has its answer taken")
    func cancellation() async {
        let queue = queue
        let clock = clock
        let taking = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await queue.take(until: clock.now + .seconds(5), time: clock.time).elements
        }
        queue.put(1)
        #expect(await taking.value == [1])
    }

    @Test("tells the watchdog when a turn begins and how long it waits")
    func progress() async {
        queue.wake()
        _ = await queue.take(time: clock.time)
        #expect(supervision.turns == 1)
        #expect(supervision.stall(limit: .zero) != nil, "it works, for longer than nothing")
        queue.madeProgress()
        #expect(supervision.turns == 2)
        queue.ended()
        #expect(supervision.stall(limit: .zero) == nil)
    }

    @Test(
        "is woken by what may give its stage work, once for several changes",
        arguments: [
            ([.acceptances], [.poller, .jobLogger]),
            ([.failures], [.planner, .housekeeper, .jobLogger]),
            ([.acceptances, .failures], [.poller, .planner, .housekeeper, .jobLogger]),
            ([.results], [.planner, .submitter, .jobLogger]),
            ([.plans], [.submitter]),
            ([.expiry], [.jobLogger]),
            ([.gate], [.submitter, .poller]),
            ([.anything], [.planner, .submitter, .poller, .housekeeper, .jobLogger]),
        ] as [([StageQueues.Change], Set<Supervision.Stage>)]
    )
    func changes(_ changes: [StageQueues.Change], _ stages: Set<Supervision.Stage>) async throws {
        let bed = try await EngineBed()
        _ = await bed.wokenStages()
        for change in changes { bed.queues.changed(change) }
        bed.queues.wake([.watcher])
        #expect(await bed.wokenStages() == stages)
    }
}
