public import Logging
import Synchronization

/// A logger whose lines a test reads.
public final class LogRecorder: Sendable {
    private struct Handler: LogHandler {
        let log: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.append("\(event.level) \(event.message) \(event.metadata ?? [:])")
        }
    }

    private struct State {
        var lines: [String] = []
        var watchers: [(text: String, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// Creates an empty log.
    public init() {}

    /// What was logged: level, message and metadata.
    public var lines: [String] { state.withLock { $0.lines } }

    /// Logs here.
    public var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    /// Waits until there is a line that holds a text.
    public func wait(for text: String) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                let isThere = state.lines.contains { $0.contains(text) }
                if !isThere { state.watchers.append((text, continuation)) }
                return isThere
            }
            if isThere { continuation.resume() }
        }
    }

    private func append(_ line: String) {
        let waiting = state.withLock { state in
            state.lines.append(line)
            let waiting = state.watchers.filter { line.contains($0.text) }
            state.watchers.removeAll { line.contains($0.text) }
            return waiting
        }
        for watcher in waiting { watcher.continuation.resume() }
    }
}
