import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("A look of the change watcher", .timeLimit(.minutes(1)))
struct ChangeWatcherRunTests {
    private let bed: EngineBed
    private let watcher: ChangeWatcher

    init() async throws {
        bed = try await EngineBed()
        watcher = try bed.stage()
    }

    private func looks(_ count: Int) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        for _ in 0..<count { continuation.yield() }
        continuation.finish()
        return stream
    }

    @Test("wakes everybody when another process has committed, and nobody otherwise")
    func commits() async throws {
        let (looks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        let watcher = watcher
        let watching = Task { try await watcher.run(triggers: looks) }
        continuation.yield()
        // The first look cannot know what was before.
        _ = await bed.queues.jobLogger.take(time: bed.clock.time)
        _ = await bed.wokenStages()
        try await bed.store.heartbeat(requestsPerSecond: nil, at: bed.clock.now)
        continuation.yield()
        try await bed.insert(1)
        continuation.yield()
        continuation.finish()
        try await watching.value
        #expect(await bed.wokenStages().count == 5)
    }

    @Test("sees no change where only the daemon has written")
    func ownCommits() async throws {
        try await watcher.run(triggers: looks(1))
        _ = await bed.wokenStages()
        for _ in 0..<3 { try await bed.store.heartbeat(requestsPerSecond: nil, at: bed.clock.now) }
        #expect(try await bed.store.foreignChangeCounter() == bed.store.foreignChangeCounter())
        #expect(await bed.wokenStages().isEmpty)
    }

    @Test("ends with the error where the database is not in its place any more")
    func replaced() async throws {
        try bed.replaceDatabase()
        await #expect(throws: StoreError.self) { try await watcher.run(triggers: looks(1)) }
        await #expect(throws: StoreError.self) { try await watcher.run() }
    }
}
