import Foundation
import Synchronization

@testable import KoobatchStore

/// A disk whose syncs wait for the test, or fail.
final class SlowDisk: Sendable {
    private enum Mode {
        case fast
        case slow
        case broken
    }

    private let mode = Mutex(Mode.fast)
    private let gate = DispatchSemaphore(value: 0)
    private let arrivals = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)

    var sync: @Sendable (Int32) throws -> Void {
        { _ in
            switch self.mode.withLock({ $0 }) {
            case .fast: break
            case .slow:
                self.arrivals.continuation.yield()
                self.gate.wait()
            case .broken: throw StoreError.cannotSync(reason: "no such disk")
            }
        }
    }

    /// From now on a sync waits for `fast()`.
    func slow() { mode.withLock { $0 = .slow } }

    /// Lets the sync that waits go on, and the next ones too.
    func fast() {
        mode.withLock { $0 = .fast }
        gate.signal()
    }

    /// From now on every sync fails.
    func fail() { mode.withLock { $0 = .broken } }

    /// Waits until a sync has begun that waits.
    func arrival() async {
        for await _ in arrivals.stream { return }
    }
}

/// What a test does to the files of a database.
enum FileSystemFolder {
    static func create(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    static func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: path)
    }
}
