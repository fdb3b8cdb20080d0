import Synchronization
import Testing

@testable import KoobatchEngine

@Suite("Change watcher")
struct ChangeWatcherTests {
    /// Pauses that the test ends, one by one.
    private final class Pauses: Sendable {
        private let stream: AsyncStream<(Duration, CheckedContinuation<Void, Never>)>
        private let source: AsyncStream<(Duration, CheckedContinuation<Void, Never>)>.Continuation

        init() {
            (stream, source) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        }

        func pause(for duration: Duration) async {
            await withCheckedContinuation { continuation in
                source.yield((duration, continuation))
            }
        }

        /// The next pause that somebody begins.
        func next() async throws -> (length: Duration, end: CheckedContinuation<Void, Never>) {
            var iterator = stream.makeAsyncIterator()
            return try #require(await iterator.next())
        }
    }

    @Test("looks at once and after every pause")
    func all() async throws {
        let (hints, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let pauses = Mutex<[Duration]>([])
        let looks = Mutex(0)
        source.yield()
        source.finish()
        await ChangeWatcher.look(after: hints, pause: { length in pauses.withLock { $0.append(length) } }) {
            looks.withLock { $0 += 1 }
        }
        #expect(looks.withLock { $0 } == ChangeWatcher.looks.count)
        #expect(pauses.withLock { $0 } == ChangeWatcher.looks.filter { $0 > .zero })
    }

    @Test("begins the looking again with a hint that comes in the midst of it", .timeLimit(.minutes(1)))
    func midst() async throws {
        let (hints, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let pauses = Pauses()
        let (looks, looked) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .unbounded)
        var iterator = looks.makeAsyncIterator()
        let count = Mutex(0)
        let watching = Task {
            await ChangeWatcher.look(after: hints, pause: { await pauses.pause(for: $0) }) {
                looked.yield(
                    count.withLock {
                        $0 += 1; return $0
                    }
                )
            }
        }
        source.yield()
        #expect(await iterator.next() == 1)
        let steps = ChangeWatcher.looks.filter { $0 > .zero }
        var pause = try await pauses.next()
        for index in 1..<steps.count {
            pause.end.resume()
            #expect(await iterator.next() == index + 1)
            pause = try await pauses.next()
        }
        #expect(pause.length == steps.last, "the longest pause")
        source.yield()
        #expect(await iterator.next() == steps.count + 1, "the hint is not looked after before the pause is over")
        let next = try await pauses.next()
        #expect(next.length == steps[0])
        // What the first hint began ends without a look.
        pause.end.resume()
        next.end.resume()
        #expect(await iterator.next() == steps.count + 2)
        source.finish()
        for _ in steps.dropFirst() { try await pauses.next().end.resume() }
        await watching.value
        #expect(count.withLock { $0 } == 2 * steps.count + 1)
    }
}
