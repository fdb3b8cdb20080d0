/// A state machine's state that knows where it can go.
///
/// The schema enforces it for what people write, the store's guarded statements keep it for the daemon; tests hold them
/// against each other, pair by pair.
public protocol LifecycleState: RawRepresentable<String>, CaseIterable, Hashable, Sendable {
    /// The states that may follow this one.
    var successors: Set<Self> { get }
}

extension LifecycleState {
    /// Whether nothing follows by itself.
    public var isFinal: Bool { successors.isEmpty }
}

/// The state of a command job.
public enum CommandJobState: String, LifecycleState {
    /// Inserted, nothing sent.
    case queued
    /// Planned, at least in part.
    case running
    /// Nothing more is sent until an operator resumes it.
    case paused
    /// Every instance succeeded.
    case succeeded
    /// Some instances succeeded.
    case partial
    /// No instance succeeded.
    case failed
    /// An operator stopped it; what was in flight is still recorded.
    case cancelled
    /// `expires_at` passed before everything was submitted.
    case expired
    /// Everything was submitted and results are not polled.
    case submitted

    /// The states that may follow this one; `queued` after an end runs again what did not succeed, and a result that comes
    /// late improves an end.
    public var successors: Set<CommandJobState> {
        switch self {
        case .queued: [.running, .paused, .cancelled, .expired]
        case .running: [.paused, .succeeded, .partial, .failed, .cancelled, .expired, .submitted]
        case .paused: [.running, .succeeded, .partial, .failed, .cancelled, .expired, .submitted]
        case .succeeded: []
        case .partial: [.queued, .succeeded]
        case .failed: [.queued, .partial, .succeeded]
        case .cancelled, .expired, .submitted: [.queued]
        }
    }

    /// Whether chunks of a job in this state may wait for a request.
    public var sends: Bool { self == .running || self == .paused }
}

/// The state of a chunk.
public enum ChunkState: String, LifecycleState {
    /// Waits for its next attempt.
    case pending
    /// A request is about to be sent or was sent, and its answer is not recorded yet.
    case submitting
    /// Accepted; results are awaited.
    case submitted
    /// Accepted, and nothing more is awaited.
    case finished
    /// Given up.
    case failed
    /// Held: a request may have been acted on, and an operator decides.
    case unknown
    /// Never sent, because its job was stopped.
    case cancelled
    /// Replaced by smaller chunks.
    case split

    /// The states that may follow this one.
    public var successors: Set<ChunkState> {
        switch self {
        case .pending: [.submitting, .cancelled]
        case .submitting: [.submitted, .pending, .failed, .unknown, .cancelled, .split]
        case .submitted: [.finished]
        case .unknown: [.pending, .failed]
        case .finished, .failed, .cancelled, .split: []
        }
    }
}

/// The state of one instance of a command job.
public enum InstanceState: String, LifecycleState {
    /// Nothing was accepted for it yet.
    case pending
    /// Accepted with a `job_id`; its result is awaited.
    case submitted
    /// The command ended well on it.
    case succeeded
    /// The command failed on it, or its chunk ran out of attempts.
    case failed
    /// It may or may not have run.
    case unknown
    /// Never sent, because its job was stopped.
    case cancelled
    /// The API refused this very instance.
    case rejected

    /// The states that may follow this one; a late result still settles `unknown`.
    public var successors: Set<InstanceState> {
        switch self {
        case .pending: [.submitted, .failed, .unknown, .cancelled, .rejected]
        case .submitted: [.succeeded, .failed, .unknown]
        case .unknown: [.succeeded, .failed, .pending]
        case .succeeded, .failed, .cancelled, .rejected: []
        }
    }
}
