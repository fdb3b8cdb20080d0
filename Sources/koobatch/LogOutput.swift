import Foundation
import KoobatchEngine
import Logging
import Synchronization

/// Writes log lines to stderr: with the priorities of the journal under systemd, as text on a terminal, else as JSON.
struct LogOutput: LogHandler {
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?
    private let control: LogControl
    /// Lines of several threads do not mix.
    private static let turn = Mutex(())

    init(_ control: LogControl) {
        self.control = control
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? control.level }
        set { ownLevel = newValue }
    }

    /// The format that `auto` stands for here; any other as it is.
    ///
    /// systemd names the device and inode of a journal stream in the environment
    /// (https://www.freedesktop.org/software/systemd/man/systemd.exec.html#%24JOURNAL_STREAM); it names another when
    /// stderr was redirected since.
    static func suitable(_ format: Settings.LogFormat) -> Settings.LogFormat {
        if format != .auto { return format }
        var status = stat()
        if let stream = ProcessInfo.processInfo.environment["JOURNAL_STREAM"], fstat(STDERR_FILENO, &status) == 0,
            stream == "\(status.st_dev):\(status.st_ino)"
        {
            return .journal
        }
        return isatty(STDERR_FILENO) == 1 ? .text : .json
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error.message"] = "\(error)" }
        let line = LogLine(level: event.level, message: "\(event.message)", metadata: all)
        switch control.format {
        case .auto, .text: Self.write(line.text(at: "\(EngineTime.system.now)"))
        case .journal: Self.write(line.journal)
        case .json: Self.write(line.json(at: "\(EngineTime.system.now)"))
        }
    }

    /// A line that cannot be written, as on a full disk or to a reader that has gone, is not worth the daemon's life.
    private static func write(_ line: String) {
        turn.withLock { _ in
            var rest = Array("\(line)\n".utf8)[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
                if written < 0, errno != EINTR { return }
                rest = rest.dropFirst(max(0, written))
            }
        }
    }
}
