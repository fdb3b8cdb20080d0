@preconcurrency import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the kernel tells of the files of a database.
enum FileNotice: CaseIterable, Hashable, Sendable {
    /// Somebody has opened the database.
    case opened
    /// Somebody has closed the database.
    case closed
    /// Somebody has opened the log: a connection does with its first statement.
    case logOpened
    /// Somebody has written to the log.
    case written
    /// A program of ours is about to open the database; see `ClientMark`.
    case clientOpened
    /// A program of ours has closed the database.
    case clientClosed
    /// One of the files was moved, deleted or replaced, or has other permissions.
    case moved
    /// Notices were lost.
    case missed
}

/// The kernel's notices of opens, closes and writes of a database (`inotify(7)`).
///
/// It opens none of the files: closing a descriptor of the database would drop SQLite's locks.
final class FileNotices: Sendable {
    #if os(Linux)
        /// Of a file that is open a deletion shows in its count of links, an attribute.
        private static let moves = UInt32(IN_MOVE_SELF | IN_ATTRIB)
        private static let opensAndCloses = moves | UInt32(IN_OPEN | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE)
        private static let opensAndWrites = moves | UInt32(IN_OPEN | IN_MODIFY)
        private static let bufferSize = 4_096

        private let descriptor: Int32
        private let logPath: String
        private let database: Int32
        private let log: Int32
        private let mark: Int32
        private let source: any DispatchSourceRead

        /// Begins to watch; `nil` where the kernel does not allow it.
        init?(database path: String) {
            let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
            guard descriptor >= 0 else { return nil }
            database = inotify_add_watch(descriptor, path, Self.opensAndCloses)
            logPath = path + "-wal"
            log = inotify_add_watch(descriptor, logPath, Self.opensAndWrites)
            // There is none before the first daemon; then no program of ours can tell of itself.
            mark = inotify_add_watch(descriptor, ClientMark.path(ofDatabase: path), Self.opensAndCloses)
            guard database >= 0, log >= 0 else {
                close(descriptor)
                return nil
            }
            self.descriptor = descriptor
            source = DispatchSource.makeReadSource(
                fileDescriptor: descriptor,
                queue: DispatchQueue(label: "koobatch.notices")
            )
            source.setCancelHandler { close(descriptor) }
            source.activate()
        }

        deinit {
            source.cancel()
        }

        /// Calls a function, on a queue of its own, whenever there are notices that nobody has taken.
        func whenever(_ handler: @escaping @Sendable () -> Void) {
            source.setEventHandler(handler: handler)
        }

        /// Whether to tell of writes to the log, as at first; opens of it are told of always.
        func tellOfWrites(_ isWanted: Bool) {
            // Another mask for the watch that there is (`inotify(7)`).
            inotify_add_watch(descriptor, logPath, isWanted ? Self.opensAndWrites : Self.moves | UInt32(IN_OPEN))
        }

        /// The notices since the last call, in their order; never waits.
        func take() -> [FileNotice] {
            var notices: [FileNotice] = []
            withUnsafeTemporaryAllocation(
                byteCount: Self.bufferSize,
                alignment: MemoryLayout<inotify_event>.alignment
            ) { buffer in
                while true {
                    let count = read(descriptor, buffer.baseAddress, buffer.count)
                    guard count > 0 else { return }
                    var offset = 0
                    while offset < count {
                        let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                        if let notice = notice(event) { notices.append(notice) }
                        offset += MemoryLayout<inotify_event>.size + Int(event.len)
                    }
                }
            }
            return notices
        }

        private func notice(_ event: inotify_event) -> FileNotice? {
            if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return .missed }
            // The file is gone, and its watch with it.
            if event.mask & UInt32(IN_IGNORED) != 0 { return nil }
            if event.mask & Self.moves != 0 { return .moved }
            let isOpen = event.mask & UInt32(IN_OPEN) != 0
            return switch event.wd {
            case database: isOpen ? .opened : .closed
            case log: isOpen ? .logOpened : .written
            default: isOpen ? .clientOpened : .clientClosed
            }
        }
    #else
        /// Not offered here.
        init?(database path: String) { nil }

        /// Never calls it.
        func whenever(_ handler: @escaping @Sendable () -> Void) {}

        /// Does nothing.
        func tellOfWrites(_ isWanted: Bool) {}

        /// Nothing.
        func take() -> [FileNotice] { [] }
    #endif
}
