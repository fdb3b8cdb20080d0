import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Plans what a claim does not cut from a job's list: what runs again, and what waited for other jobs.
///
/// It works in slices that hold the write lock for about a millisecond.
public struct Planner: Service {
    /// Earlier chunks that are looked at in one transaction.
    private static let chunksPerSlice = 32

    private let settings: @Sendable () -> Int
    private var chunkSize: Int { settings() }
    private let store: Store
    private let queues: StageQueues
    private let time: EngineTime
    private let logger: Logger

    /// Creates a planner; it does nothing before `run()`.
    public init(
        chunkSize: @escaping @Sendable () -> Int,
        store: Store,
        queues: StageQueues,
        time: EngineTime,
        logger: Logger
    ) {
        self.settings = chunkSize
        self.store = store
        self.queues = queues
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await queues.planner.stoppingWithTask {
            var wakeAt: Timestamp? = time.now
            var state = State(databaseErrors: DatabaseErrorReporter(logger: logger))
            while await !queues.planner.take(until: wakeAt, time: time).isStopping {
                wakeAt = try await turn(&state)
            }
        }
    }

    /// What the planner knows between two turns.
    struct State {
        var databaseErrors: DatabaseErrorReporter
        /// What the log knows of jobs that cannot be planned.
        var reported: Set<StuckJob> = []
    }

    /// One turn: plans everything that is due.
    ///
    /// - Returns: when to look again without a wake-up.
    /// - Throws: `StoreError` when the database cannot be relied on any more; every other error is met by trying again.
    func turn(_ state: inout State) async throws -> Timestamp? {
        do {
            state.reported = try await plan(state.reported)
            let next = try await store.nextPlanning(after: time.now)
            state.databaseErrors.passed()
            return next
        } catch let error as StoreError {
            throw error
        } catch {
            return time.now + state.databaseErrors.failed(error)
        }
    }

    /// Plans everything that is due; jobs that the schema keeps back are left out until the next time.
    ///
    /// - Parameter reported: what the log knows of such jobs.
    /// - Returns: those that there are still.
    private func plan(_ reported: Set<StuckJob>) async throws -> Set<StuckJob> {
        var stuck: Set<StuckJob> = []
        while !Task.isCancelled {
            do {
                guard try await step(except: Set(stuck.map(\.id))) else { break }
            } catch let job as StuckJob {
                stuck.insert(job)
                if !reported.contains(job) {
                    logger.error(
                        "A job cannot be planned, because rows of it were changed by hand; cancel it and insert it again",
                        metadata: [LogKeys.jobID: "\(job.id.rawValue)", LogKeys.message: "\(job.reason)"]
                    )
                }
            }
        }
        return stuck
    }

    /// One slice of each kind of planning; whether there may be more.
    private func step(except stuck: Set<CommandJobID>) async throws -> Bool {
        queues.planner.madeProgress()
        let now = time.now
        let chunkSize = chunkSize
        let replanned = try await store.replan(
            at: now,
            chunkSize: chunkSize,
            chunks: Self.chunksPerSlice,
            except: stuck
        )
        let freed = try await store.freeBlocked(at: now, chunkSize: chunkSize)
        if replanned || freed { queues.changed(.plans) }
        return replanned || freed
    }
}
