import KoobatchCore
public import KoobatchStore
public import Logging
public import ServiceLifecycle

/// Cuts due jobs into chunks, in slices that hold the write lock for milliseconds.
public struct Planner: Service {
    /// Chunks written in one transaction.
    private static let chunksPerSlice = 256

    private let settings: @Sendable () -> Int
    private var chunkSize: Int { settings() }
    private let store: Store
    private let inboxes: Inboxes
    private let time: EngineTime
    private let logger: Logger
    private let metrics = EngineMetrics()

    /// Creates a planner; it does nothing before `run()`.
    public init(
        chunkSize: @escaping @Sendable () -> Int,
        store: Store,
        inboxes: Inboxes,
        time: EngineTime,
        logger: Logger
    ) {
        self.settings = chunkSize
        self.store = store
        self.inboxes = inboxes
        self.time = time
        self.logger = logger
    }

    /// Works until graceful shutdown or cancellation.
    ///
    /// - Throws: `StoreError` when the disk cannot be relied on any more.
    public func run() async throws {
        try await inboxes.planner.stoppingWithTask {
            var wakeAt: Timestamp? = time.now
            var trouble = Trouble(logger: logger)
            var reported: Set<StuckJob> = []
            while await !inboxes.planner.take(until: wakeAt, time: time).isStopping {
                do {
                    reported = try await plan(reported)
                    trouble.passed()
                    // What rang may have been a chunk that is to be sent again although its job has expired meanwhile.
                    inboxes.housekeeper.ring()
                    wakeAt = try await store.nextPlanning(after: time.now)
                } catch let error as StoreError {
                    throw error
                } catch {
                    wakeAt = time.now + trouble.failed(error)
                }
            }
        }
    }

    /// A large job's list is parsed once and kept while its slices are written.
    private struct Parsed {
        let job: CommandJobID
        let instances: [String]
    }

    /// Plans everything that is due; jobs that the schema keeps back are left out until the next time.
    ///
    /// - Parameter reported: what the log knows of such jobs.
    /// - Returns: those that there are still.
    func plan(_ reported: Set<StuckJob>) async throws -> Set<StuckJob> {
        var stuck: Set<StuckJob> = []
        var parsed: Parsed?
        while !Task.isCancelled {
            do {
                guard try await step(&parsed, except: Set(stuck.map(\.id))) else { break }
            } catch let job as StuckJob {
                stuck.insert(job)
                if !reported.contains(job) {
                    logger.error(
                        "A job cannot be planned; other jobs go on without it",
                        metadata: [LogKeys.jobID: "\(job.id.rawValue)", LogKeys.message: "\(job.reason)"]
                    )
                }
            }
        }
        return stuck
    }

    /// One slice of each kind of planning; whether there may be more.
    private func step(_ parsed: inout Parsed?, except stuck: Set<CommandJobID>) async throws -> Bool {
        inboxes.planner.getsOn()
        let now = time.now
        let chunkSize = chunkSize
        let replanned = try await store.replan(
            at: now,
            chunkSize: chunkSize,
            chunks: Self.chunksPerSlice,
            except: stuck
        )
        let freed = try await store.planFreed(
            at: now,
            chunkSize: chunkSize,
            instances: Self.chunksPerSlice * chunkSize,
            except: stuck
        )
        let rejected = try await store.rejectRefused(at: now, chunks: Self.chunksPerSlice)
        // Its list is not read again, so it is kept until the slices are cut, whatever is parsed meanwhile.
        let kept = parsed
        let jobs = try await store.jobsToPlan(
            at: now,
            instances: Self.chunksPerSlice * chunkSize,
            known: kept?.job,
            except: stuck
        )
        let hasMoved = replanned || freed || rejected
        if jobs.isEmpty, !hasMoved { return false }
        var slices: [PlannedSlice] = []
        var room = Self.chunksPerSlice
        for job in jobs where room > 0 {
            let instances: [String]
            if let kept, kept.job == job.id {
                instances = kept.instances
            } else {
                instances = try parse(job, into: &parsed)
            }
            let wanted = instances[job.planned..<min(job.planLimit, instances.count)]
            let chunks = Chunking.chunks(of: wanted.prefix(room * chunkSize), size: chunkSize)
            slices.append(PlannedSlice(job: job.id, plannedBefore: job.planned, chunks: chunks.map(Array.init)))
            room -= chunks.count
        }
        let written = try await store.plan(slices, at: now)
        metrics.planned(written.chunks)
        logger.debug("Chunks planned", metadata: [LogKeys.chunks: "\(written.chunks)"])
        if written.chunks > 0 || replanned || freed { inboxes.submitter.ring() }
        return written.advanced || hasMoved
    }

    private func parse(_ job: PlannableJob, into parsed: inout Parsed?) throws -> [String] {
        let instances: [String]
        do {
            instances = try job.parseInstanceIDs()
        } catch {
            throw StuckJob(id: job.id, reason: "instance_ids cannot be read: \(error)")
        }
        guard instances.count == job.total else {
            throw StuckJob(
                id: job.id,
                reason: "instance_ids has \(instances.count) instances, and had \(job.total) when it was inserted; "
                    + "cancel the job and insert it again"
            )
        }
        if instances.count > Self.chunksPerSlice * chunkSize { parsed = Parsed(job: job.id, instances: instances) }
        return instances
    }
}
