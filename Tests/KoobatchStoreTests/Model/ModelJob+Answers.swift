import KoobatchCore

/// What an API may say to a submission.
enum ModelOutcome: CaseIterable {
    case accepted, partly, lost, refused, busy, tooLarge, throttled, notSent, internalError
}

extension ModelJob {
    /// What becomes of a chunk when its answer comes, or when the daemon that waited for it is gone.
    ///
    /// - Parameters:
    ///   - missing: instances that an acceptance left out.
    ///   - due: when the next attempt is due, if there is one; the delay is random.
    ///   - nextID: for the halves of a split chunk.
    mutating func answer(
        _ index: Int,
        _ outcome: ModelOutcome,
        missing: Set<String> = [],
        due: Timestamp,
        at now: Timestamp,
        nextID: () -> Int64
    ) {
        change { job in
            job.chunks[index].attempt = nil
            let sends = job.state == .running || job.state == .paused
            // An internal error of the API says no more than a lost answer does: the command may have run.
            switch outcome == .internalError ? .lost : outcome {
            case .accepted, .partly:
                job.chunks[index].state = .submitted
                job.chunks[index].deadline = now + .seconds(600)
                for name in job.chunks[index].names {
                    job.chunks[index].states[name] = missing.contains(name) ? .unknown : .submitted
                }
                if missing.count == job.chunks[index].names.count { job.chunks[index].state = .finished }
            case .lost where !sends: job.chunks[index].end(.failed, .unknown)
            case .lost where job.onUnknown == .hold: job.chunks[index].end(.unknown, .unknown)
            case .lost where job.onUnknown == .fail: job.chunks[index].end(.failed, .unknown)
            case _ where !sends: job.chunks[index].end(.cancelled, .cancelled)
            case .tooLarge: job.chunks[index].end(.failed, .failed)
            case .refused, .busy:
                if job.chunks[index].names.count > 1 {
                    job.split(index, at: now, nextID: nextID)
                } else if outcome == .refused {
                    job.chunks[index].end(.failed, .rejected)
                } else {
                    job.retry(index, due: due)
                }
            case .throttled, .notSent:
                job.chunks[index].state = .pending
                job.chunks[index].due = due
                job.chunks[index].attempts -= 1
            case .lost, .internalError: job.retry(index, due: due)
            }
        }
    }

    private mutating func retry(_ index: Int, due: Timestamp) {
        if chunks[index].attempts < maxAttempts {
            chunks[index].state = .pending
            chunks[index].due = due
        } else {
            chunks[index].end(.failed, .failed)
        }
    }

    private mutating func split(_ index: Int, at now: Timestamp, nextID: () -> Int64) {
        let names = chunks[index].names
        chunks[index].state = .split
        chunks[index].states = [:]
        let middle = (names.count + 1) / 2
        for half in [names[..<middle], names[middle...]] {
            chunks.append(ModelChunk(id: nextID(), names: Array(half), due: now))
        }
    }

    /// What becomes of a submitted chunk when its results are asked for.
    ///
    /// - Parameters:
    ///   - results: of the instances that have one: whether they succeeded.
    ///   - isForgotten: the API does not know the task any more.
    mutating func poll(_ index: Int, results: [String: Bool], isForgotten: Bool, at now: Timestamp) {
        change { job in
            for (name, succeeded) in results where job.chunks[index].states[name] == .submitted {
                job.chunks[index].states[name] = succeeded ? .succeeded : .failed
            }
            let unfinished = job.chunks[index].states.filter { $0.value == .submitted }.map(\.key)
            let isLate = job.chunks[index].deadline.map { now >= $0 } ?? true
            guard unfinished.isEmpty || isForgotten || isLate else { return }
            for name in unfinished { job.chunks[index].states[name] = .unknown }
            job.chunks[index].state = .finished
        }
    }
}
