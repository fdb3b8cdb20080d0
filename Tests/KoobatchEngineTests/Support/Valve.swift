import Synchronization

/// Where tasks wait until a test lets them go on; a cancelled task goes on by itself.
final class Valve: Sendable {
    private struct State {
        var isOpen = false
        var number = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var arrivals = 0
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// Waits until the valve is open, or the task is cancelled.
    func pass() async {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isThrough, watchers) = state.withLock { state in
                    state.arrivals += 1
                    let watchers = state.watchers.filter { $0.count <= state.arrivals }
                    state.watchers.removeAll { $0.count <= state.arrivals }
                    let isThrough = state.isOpen || Task.isCancelled
                    if !isThrough { state.waiting[number] = continuation }
                    return (isThrough, watchers)
                }
                if isThrough { continuation.resume() }
                for watcher in watchers { watcher.continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }

    /// Waits until so many tasks have come, those that have gone on included.
    func arrivals(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.arrivals < count { state.watchers.append((count, continuation)) }
                return state.arrivals >= count
            }
            if isThere { continuation.resume() }
        }
    }

    /// Lets everybody go on.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }
}
