import KoobatchCore

/// A chunk as people understand it.
struct ModelChunk {
    let id: Int64
    /// Its instances; those that moved to later chunks are taken out of `states`.
    let names: [String]
    var state = ChunkState.pending
    var attempts = 0
    var due: Timestamp
    var states: [String: InstanceState]
    /// The attempt whose answer is awaited.
    var attempt: AttemptID?
    var deadline: Timestamp?

    init(id: Int64, names: [String], due: Timestamp) {
        self.id = id
        self.names = names
        self.due = due
        states = Dictionary(uniqueKeysWithValues: names.map { ($0, .pending) })
    }

    /// Its end, with all its instances in one state.
    mutating func end(_ state: ChunkState, _ instances: InstanceState) {
        self.state = state
        states = states.mapValues { _ in instances }
    }
}

/// A job as the contract describes it: rules that know nothing of SQL.
struct ModelJob {
    enum Pause: String {
        case hand, canary
        case maxErrors = "max_errors"
    }

    private(set) var id: Int64
    let names: [String]
    var canary: Int?
    var state: CommandJobState
    var pause: Pause?
    var key: String?
    var priority = 0
    var runAt: Timestamp
    var expiresAt: Timestamp?
    var maxAttempts = 8
    var onUnknown = OnUnknown.retry
    var maxConcurrency: Int?
    var maxErrors: String?
    var planned = 0
    var planLimit: Int
    var forgiven = 0
    /// What did not succeed is to go into new chunks.
    var runsAgain = false
    var isFinished = false
    var chunks: [ModelChunk] = []

    init(id: Int64, names: [String], state: CommandJobState, runAt: Timestamp, canary: Int?) {
        self.id = id
        self.names = names
        self.state = state
        self.runAt = runAt
        self.canary = canary
        planLimit = min(names.count, canary ?? names.count)
    }

    /// With the id that the database chose.
    func numbered(_ id: Int64) -> ModelJob {
        var job = self
        job.id = id
        return job
    }

    // MARK: Facts

    var isOpen: Bool { [.queued, .running, .paused].contains(state) }
    var isStopped: Bool { [.cancelled, .expired].contains(state) }
    var waiting: [ModelChunk] { chunks.filter { $0.state == .pending } }
    var inFlight: Int { chunks.count { [.submitting, .submitted].contains($0.state) } }
    var isActive: Bool { chunks.contains { [.pending, .submitting, .submitted, .unknown].contains($0.state) } }
    var errors: Int { count(.failed) + count(.rejected) - forgiven }

    func count(_ state: InstanceState) -> Int {
        let unplanned = names.count - planned
        let waits: InstanceState = isStopped ? .cancelled : .pending
        return chunks.reduce(state == waits ? unplanned : 0) { $0 + $1.states.values.count { $0 == state } }
    }

    var isOverBudget: Bool {
        guard let maxErrors, let number = Int(maxErrors.prefix { $0 != "%" }) else { return false }
        return maxErrors.hasSuffix("%") ? errors * 100 > names.count * number : errors > number
    }

    /// Whether chunks of it may be sent or cut now.
    func isDue(at now: Timestamp) -> Bool {
        runAt <= now && expiresAt.map { $0 > now } ?? true
    }

    /// Chunks that a claim may take now, in its order: those that wait, then new ones from the front of what is left of the
    /// list.
    func claimable(chunkSize: Int, at now: Timestamp) -> [ModelChunk] {
        guard state == .queued || state == .running, isDue(at: now) else { return [] }
        let due = waiting.filter { $0.due <= now }.sorted { ($0.due, $0.id) < ($1.due, $1.id) }
        let rest = runsAgain ? [] : names[planned..<planLimit]
        let new = Chunking.chunks(of: Array(rest), size: chunkSize).map {
            ModelChunk(id: 0, names: Array($0), due: now)
        }
        return Array((due + new).prefix(max(0, (maxConcurrency ?? .max) - inFlight)))
    }

    // MARK: Changes

    /// Does something, and what follows from it: the end of the job or of its canary, a spent budget.
    mutating func change(_ body: (inout ModelJob) -> Void) {
        let before = self
        body(&self)
        settle()
        let isWorse =
            errors + forgiven > before.errors + before.forgiven || waiting.count > before.waiting.count
            || (before.runsAgain && !runsAgain) || maxErrors != before.maxErrors
        let hasMore = !waiting.isEmpty || planned < names.count
        if isWorse, state == .running, !runsAgain, hasMore, isOverBudget {
            state = .paused
            pause = .maxErrors
        }
    }

    private mutating func settle() {
        guard !isActive, !runsAgain else { return }
        if isStopped { isFinished = true }
        guard state == .running || state == .paused, planned == planLimit else { return }
        if planned == names.count {
            isFinished = true
            pause = nil
            state = count(.succeeded) == names.count ? .succeeded : count(.succeeded) > 0 ? .partial : .failed
        } else if count(.succeeded) == planned {
            planLimit = names.count
        } else {
            state = .paused
            pause = .canary
        }
    }

    /// Nothing more is sent.
    mutating func stop(_ state: CommandJobState) {
        change { job in
            job.state = state
            job.pause = nil
            job.runsAgain = false
            for index in job.chunks.indices {
                if job.chunks[index].state == .pending { job.chunks[index].end(.cancelled, .cancelled) }
                if job.chunks[index].state == .unknown { job.chunks[index].state = .failed }
            }
        }
    }

    mutating func resume() {
        change { job in
            job.state = .running
            job.pause = nil
            guard job.planned > 0, !job.runsAgain else { return }
            let canaryEnded = job.planned == job.planLimit && job.planLimit < job.names.count && !job.isActive
            if canaryEnded || job.isOverBudget { job.forgiven += job.errors }
            if canaryEnded { job.planLimit = job.names.count }
        }
    }

    mutating func runAgain() {
        change { job in
            job.state = .queued
            job.isFinished = false
            job.forgiven = 0
            job.runsAgain = !job.chunks.isEmpty
        }
    }

    /// Moves what did not succeed into new chunks; returns their instances.
    mutating func replan(chunkSize: Int, at now: Timestamp, nextID: () -> Int64) -> [[String]] {
        guard state == .queued || state == .running, isDue(at: now), runsAgain else { return [] }
        var cut: [[String]] = []
        change { job in
            job.state = .running
            var again: [String] = []
            for index in job.chunks.indices {
                let moving = job.chunks[index].names.filter {
                    [.failed, .unknown, .cancelled, .rejected].contains(job.chunks[index].states[$0])
                }
                for name in moving { job.chunks[index].states[name] = nil }
                again += moving
            }
            for chunk in Chunking.chunks(of: again, size: chunkSize) {
                cut.append(Array(chunk))
                job.chunks.append(ModelChunk(id: nextID(), names: Array(chunk), due: now))
            }
            job.runsAgain = false
            job.forgiven = 0
        }
        return cut
    }

    /// Takes a new chunk from the front of what is left of the list.
    mutating func cut(_ names: [String], as id: Int64, at now: Timestamp) {
        change { job in
            job.state = .running
            job.chunks.append(ModelChunk(id: id, names: names, due: now))
            job.planned += names.count
        }
    }
}
