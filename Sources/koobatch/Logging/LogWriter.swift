import Foundation
import Synchronization

/// Writes lines to a descriptor that may take none for a while, such as a pipe that nobody reads, and makes nobody wait.
///
/// A thread of its own does the writing, from a bounded queue: setting `O_NONBLOCK` instead would change the descriptor for
/// every process that shares it. Lines that find the queue full, or that the descriptor refuses, are dropped and counted; a
/// line with their count is written as soon as lines can be written again. A crash loses what is queued; regular files, which
/// have no readers to wait for, are written at once.
final class LogWriter: Sendable {
    private enum Entry {
        case line(String)
        case dropped(Int)
    }

    private struct State {
        var entries: [Entry] = []
        /// Bytes of the lines that are queued or being written.
        var bytes = 0
        /// Lines dropped since the last count that was queued.
        var dropped = 0
        /// Whether the last line was refused: the count is tried again with the next line.
        var isRefused = false
        var isWorking = false
        var hasThread = false
        /// Those who wait until everything is written.
        var waiters: [DispatchSemaphore] = []
    }

    /// Bytes that wait to be written at most.
    static let capacity = 128 * 1_024

    private let descriptor: Int32
    private let isRegularFile: Bool
    private let notice: @Sendable (Int) -> String
    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)

    /// Creates a writer; its thread starts when it is first needed.
    ///
    /// - Parameters:
    ///   - descriptor: where lines go; it stays as it is, and open.
    ///   - notice: the line that tells how many were dropped.
    init(descriptor: Int32, notice: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.notice = notice
        var status = stat()
        isRegularFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Queues a line, or drops it.
    func write(_ line: String) {
        let size = line.utf8.count + 1
        let isToStart = state.withLock { state in
            if isRegularFile {
                state.isRefused = false
                queueCount(&state)
                state.entries.append(.line(line))
                while let entry = state.entries.first {
                    state.entries.removeFirst()
                    put(entry, &state)
                }
                return false
            }
            guard state.bytes == 0 || state.bytes + size <= Self.capacity else {
                state.dropped += 1
                return false
            }
            state.isRefused = false
            queueCount(&state)
            state.entries.append(.line(line))
            state.bytes += size
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if isToStart { Thread.detachNewThread { self.work() } }
        if !isRegularFile { wakeUp.signal() }
    }

    /// Waits until everything is written, but no longer than the time.
    func flush(within limit: DispatchTimeInterval) {
        let done = DispatchSemaphore(value: 0)
        let isIdle = state.withLock { state in
            if state.entries.isEmpty, !state.isWorking { return true }
            state.waiters.append(done)
            return false
        }
        if !isIdle { _ = done.wait(timeout: .now() + limit) }
    }

    private func queueCount(_ state: inout State) {
        guard state.dropped > 0 else { return }
        state.entries.append(.dropped(state.dropped))
        state.dropped = 0
    }

    private func work() {
        while true {
            wakeUp.wait()
            while let entry = state.withLock({ next(&$0) }) {
                let text = text(of: entry)
                let isWritten = put(text)
                state.withLock { took(entry, isWritten: isWritten, &$0) }
            }
        }
    }

    /// What is to be written next; `nil` when there is nothing, which ends the work and whoever waits for its end.
    private func next(_ state: inout State) -> Entry? {
        if state.entries.isEmpty, !state.isRefused { queueCount(&state) }
        state.isWorking = !state.entries.isEmpty
        if !state.isWorking {
            for waiter in state.waiters { waiter.signal() }
            state.waiters = []
            return nil
        }
        return state.entries.removeFirst()
    }

    private func put(_ entry: Entry, _ state: inout State) {
        took(entry, isWritten: put(text(of: entry)), &state)
    }

    private func took(_ entry: Entry, isWritten: Bool, _ state: inout State) {
        state.isRefused = !isWritten
        switch entry {
        case .line(let line):
            if !isRegularFile { state.bytes -= line.utf8.count + 1 }
            if !isWritten { state.dropped += 1 }
        case .dropped(let count):
            if !isWritten { state.dropped += count }
        }
    }

    private func text(of entry: Entry) -> String {
        switch entry {
        case .line(let line): line
        case .dropped(let count): notice(count)
        }
    }

    /// Whether the whole line was taken; not so on a full disk or when the reader has gone.
    private func put(_ line: String) -> Bool {
        var rest = Array("\(line)\n".utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                // Whoever shares the descriptor has made it so.
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&request, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
