import KoobatchCore

/// A statement about a job or a chunk, as a user types it.
enum ModelStatement: CustomStringConvertible {
    case state(CommandJobState)
    /// Runs again, with the expiry taken off in the same statement.
    case runAgainWithoutExpiry
    case priority(Int)
    case maxConcurrency(Int?)
    case maxErrors(String?)
    case canary(Int)
    case runAt(Timestamp)
    case expiresAt(Timestamp?)
    case onUnknown(OnUnknown)
    case maxAttempts(Int)
    /// Columns that nobody may change.
    case fixed(String)

    var description: String {
        switch self {
        case .state(let state): "state = '\(state.rawValue)'"
        case .runAgainWithoutExpiry: "state = 'queued', expires_at = NULL"
        case .priority(let value): "priority = \(value)"
        case .maxConcurrency(let value): "max_concurrency = \(value.map(String.init) ?? "NULL")"
        case .maxErrors(let value): "max_errors = \(value.map { "'\($0)'" } ?? "NULL")"
        case .canary(let value): "canary = \(value)"
        case .runAt(let value): "run_at = '\(value)'"
        case .expiresAt(let value): "expires_at = \(value.map { "'\($0)'" } ?? "NULL")"
        case .onUnknown(let value): "on_unknown = '\(value.rawValue)'"
        case .maxAttempts(let value): "max_attempts = \(value)"
        case .fixed(let change): change
        }
    }
}

extension ModelJob {
    /// Whether a user may say this about the job as it is; every expiry in these histories is past for SQLite's clock.
    ///
    /// - Parameter others: the other jobs, for `unique_key`.
    func allows(_ statement: ModelStatement, others: [ModelJob]) -> Bool {
        let keyIsTaken = key != nil && others.contains { $0.key == key && !$0.isFinished }
        switch statement {
        case .state(let next) where next == state: return true
        case .state(let next):
            switch next {
            case .running: return state == .queued || state == .paused
            case .paused: return state == .queued || state == .running
            case .cancelled: return isOpen
            case .expired: return isOpen && expiresAt != nil
            case .queued: return canRunAgain && expiresAt == nil && !keyIsTaken
            case .succeeded, .partial, .failed, .submitted: return false
            }
        case .runAgainWithoutExpiry: return state == .queued || (canRunAgain && !keyIsTaken)
        case .canary(let value): return planned == 0 || canary == value
        case .runAt(let value): return expiresAt.map { $0 > value } ?? true
        case .expiresAt(let value): return value.map { $0 > runAt } ?? true
        case .priority, .maxConcurrency, .maxErrors, .onUnknown, .maxAttempts: return true
        case .fixed: return false
        }
    }

    private var canRunAgain: Bool { isFinished && state != .succeeded }

    /// What an allowed statement does.
    mutating func obey(_ statement: ModelStatement) {
        switch statement {
        case .state(let next) where next == state: break
        case .state(.running): resume()
        case .state(.paused): change { ($0.state, $0.pause) = (.paused, .hand) }
        case .state(.queued): runAgain()
        case .state(let next): stop(next)
        case .runAgainWithoutExpiry:
            expiresAt = nil
            if state != .queued { runAgain() }
        case .priority(let value): priority = value
        case .maxConcurrency(let value): maxConcurrency = value
        case .maxErrors(let value): change { $0.maxErrors = value }
        case .canary(let value):
            canary = value
            if planned == 0 { planLimit = min(names.count, value) }
        case .runAt(let value): runAt = value
        case .expiresAt(let value): expiresAt = value
        case .onUnknown(let value): onUnknown = value
        case .maxAttempts(let value): maxAttempts = value
        case .fixed: break
        }
    }

    /// Whether a user may set a chunk of this job to the state.
    func allows(_ next: ChunkState, of chunk: ModelChunk) -> Bool {
        if next == chunk.state { return true }
        guard chunk.state == .unknown else { return false }
        return next == .failed || (next == .pending && (state == .running || state == .paused))
    }

    /// - Parameter due: when a released chunk is due.
    mutating func obey(_ next: ChunkState, of index: Int, due: Timestamp) {
        change { job in
            guard job.chunks[index].state != next else { return }
            job.chunks[index].state = next
            if next == .pending {
                job.chunks[index].end(.pending, .pending)
                job.chunks[index].due = due
            }
        }
    }
}
