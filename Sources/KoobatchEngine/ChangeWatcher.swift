@preconcurrency import Dispatch
public import KoobatchStore
public import Logging
public import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Notices within milliseconds that another process has committed, and rings the stages.
///
/// The kernel's notice that the WAL file was written is the hint (`inotify(7)`; it opens no descriptor of a database
/// file, whose closing would drop SQLite's locks), `PRAGMA data_version` is the truth, and looking every second is the
/// net under both.
public struct ChangeWatcher: Service {
    private static let net = Duration.seconds(1)
    /// When to look after a hint.
    ///
    /// A transaction becomes visible after its last write to the WAL file, by a change of
    /// shared memory that the kernel does not tell of: usually within a few milliseconds, the time of a sync.
    private static let looks: [Duration] = [0, 1, 2, 3, 5, 10, 20, 50, 100].map { .milliseconds($0) }

    private let store: Store
    private let inboxes: Inboxes
    private let logger: Logger

    /// Creates a watcher; it does nothing before `run()`.
    public init(store: Store, inboxes: Inboxes, logger: Logger) {
        self.store = store
        self.inboxes = inboxes
        self.logger = logger
    }

    /// Watches until graceful shutdown or cancellation.
    public func run() async {
        let hints = WriteHints(path: store.path + "-wal")
        if hints == nil {
            logger.warning("The kernel does not tell of writes to the database; looking every second")
        }
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                let (triggers, continuation) = AsyncStream.makeStream(
                    of: Void.self,
                    bufferingPolicy: .bufferingNewest(1)
                )
                group.addTask {
                    do {
                        while true {
                            try await ContinuousClock().sleep(for: Self.net)
                            continuation.yield()
                        }
                    } catch {
                        continuation.finish()
                    }
                }
                if let hints {
                    group.addTask { await Self.look(after: hints.stream) { continuation.yield() } }
                }
                await run(triggers: triggers)
                group.cancelAll()
            }
        }
    }

    private static func look(after hints: AsyncStream<Void>, _ look: () -> Void) async {
        do {
            for await _ in hints {
                for pause in looks {
                    try await ContinuousClock().sleep(for: pause)
                    look()
                }
            }
        } catch {
            // Cancelled.
        }
    }

    /// Looks once for every trigger, until there are no more.
    func run(triggers: some AsyncSequence<Void, Never>) async {
        var last: Int64?
        var trouble = Trouble(logger: logger)
        inboxes.progress.waits(.watcher, atMost: Self.net)
        defer { inboxes.progress.ended(.watcher) }
        for await _ in triggers {
            inboxes.progress.works(.watcher)
            do {
                let counter = try await store.foreignChangeCounter()
                if counter != last { inboxes.ringAll() }
                last = counter
                trouble.passed()
            } catch {
                _ = trouble.failed(error)
            }
            inboxes.progress.waits(.watcher, atMost: Self.net)
        }
    }
}

/// The kernel's notices that a file was written.
private struct WriteHints: Sendable {
    /// An element for one or more writes since the last.
    let stream: AsyncStream<Void>

    /// Begins to watch; `nil` where the kernel does not offer it.
    init?(path: String) {
        #if os(Linux)
            let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
            guard descriptor >= 0 else { return nil }
            guard inotify_add_watch(descriptor, path, UInt32(IN_MODIFY | IN_CLOSE_WRITE)) >= 0 else {
                close(descriptor)
                return nil
            }
            let source = DispatchSource.makeReadSource(fileDescriptor: descriptor)
            stream = AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
                source.setEventHandler {
                    var buffer = [UInt8](repeating: 0, count: 4_096)
                    while read(descriptor, &buffer, buffer.count) > 0 {}
                    continuation.yield()
                }
                source.setCancelHandler { close(descriptor) }
                continuation.onTermination = { _ in source.cancel() }
                source.resume()
            }
        #else
            return nil
        #endif
    }
}
