import KoobatchCore
import Synchronization
import TestSupport
import Testing

@testable import KoobatchEngine

@Suite("Supervision")
struct SupervisionTests {
    /// A clock and a database of the test's.
    private final class World: Sendable {
        private struct State {
            var now = ContinuousClock.now
            var call: Duration?
            var locked: Duration?
        }

        private let state = Mutex(State())

        var now: ContinuousClock.Instant { state.withLock { $0.now } }

        func advance(by seconds: Int) { state.withLock { $0.now += .seconds(seconds) } }

        func database(call: Duration? = nil, locked: Duration? = nil) {
            state.withLock { ($0.call, $0.locked) = (call, locked) }
        }

        func supervision() -> Supervision {
            Supervision(
                pulse: { _ in self.state.withLock { ($0.call, $0.locked) } },
                clock: { self.now }
            )
        }
    }

    private let world = World()
    private let supervision: Supervision

    init() {
        supervision = world.supervision()
    }

    @Test("finds a turn that does not end, and forgives it when the next one begins")
    func turn() {
        supervision.works(.poller)
        world.advance(by: 31)
        #expect(supervision.stall(limit: .seconds(30)) == .turn(stage: "poller", .seconds(31)))
        #expect(supervision.problems.last == "a turn of the poller has not ended for 31 seconds")
        supervision.works(.poller)
        #expect(supervision.stall(limit: .seconds(30)) == nil)
    }

    @Test("finds a stage that sleeps beyond its time, and none that waits for a wake-up with nothing to do")
    func sleep() {
        supervision.waits(.planner, atMost: .seconds(5))
        supervision.waits(.submitter, atMost: nil)
        world.advance(by: 100)
        #expect(supervision.stall(limit: .seconds(30)) == .overslept(stage: "planner", .seconds(95)))
        supervision.ended(.planner)
        #expect(supervision.stall(limit: .seconds(30)) == nil)
    }

    @Test("finds a stage that nothing wakes although its work is due, counted from when that was first seen")
    func notWoken() {
        supervision.noteDue(true, .submitter)
        supervision.waits(.submitter, atMost: nil)
        supervision.noteDue(true, .submitter)
        world.advance(by: 20)
        supervision.noteDue(true, .submitter)
        world.advance(by: 20)
        #expect(supervision.stall(limit: .seconds(30)) == .notWoken(stage: "submitter", .seconds(40)))
        supervision.noteDue(false, .submitter)
        #expect(supervision.stall(limit: .seconds(30)) == nil)
    }

    @Test("finds a call of the database that does not return, and forgives turns that wait for somebody's lock")
    func database() {
        supervision.works(.poller)
        world.advance(by: 40)
        world.database(call: .seconds(31))
        #expect(supervision.stall(limit: .seconds(30)) == .databaseCall(.seconds(31)))
        world.database(locked: .seconds(3))
        #expect(supervision.stall(limit: .seconds(30)) == nil)
    }

    @Test("tells of heartbeats that fail and of those that are missing, until one is written")
    func heartbeats() {
        #expect(supervision.problems.isEmpty)
        supervision.couldNotWrite(CancellationError())
        world.advance(by: 30)
        #expect(supervision.problems == ["database writes fail: CancellationError()"])
        world.advance(by: 1)
        #expect(supervision.problems.last == "the last heartbeat was written 31 s ago")
        supervision.wroteHeartbeat()
        #expect(supervision.problems.isEmpty)
    }

    @Test("counts the turns of the stages that move jobs, and of no others")
    func turns() {
        for stage in Supervision.Stage.allCases { supervision.works(stage) }
        #expect(supervision.turns == 3)
        supervision.waits(.submitter, atMost: nil)
        #expect(supervision.turns == 3)
    }
}
