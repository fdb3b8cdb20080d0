import Foundation
import KoobatchCore
import KoobatchEngine
import Logging

/// Writes log lines to stderr: with the priorities of the journal under systemd, as text on a terminal, else as JSON.
struct LogOutput: LogHandler {
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?
    private let control: LogControl
    private let writer: LogWriter

    init(_ control: LogControl, writer: LogWriter) {
        self.control = control
        self.writer = writer
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
        writer.write(line.formatted(control.format))
    }
}

extension LogWriter {
    /// The writer of the log, to stderr.
    convenience init(_ control: LogControl) {
        self.init(descriptor: STDERR_FILENO) { count in
            LogLine(
                level: .warning,
                message: "Log lines were dropped, because stderr did not take them",
                metadata: [LogKeys.dropped: "\(count)"]
            ).formatted(control.format)
        }
    }
}

extension LogLine {
    /// The line as it is written, with the time where the format has one.
    fileprivate func formatted(_ format: Settings.LogFormat) -> String {
        switch format {
        case .auto, .text: text(at: "\(EngineTime.system.now)")
        case .journal: journal
        case .json: json(at: "\(EngineTime.system.now)")
        }
    }
}
