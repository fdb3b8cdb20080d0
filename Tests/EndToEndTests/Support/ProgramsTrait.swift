import Foundation
import Synchronization
import Testing

/// Has the tests of a suite wait for programs on threads of their own.
///
/// Each waits most of its time, and blocks its thread: on those of the language, of which there is one a core, the machine
/// would idle.
struct ProgramsTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(WaitingThreads.shared) { try await function() }
    }
}

extension Trait where Self == ProgramsTrait {
    static var programs: Self { Self() }
}

/// As many threads as tests may run at once.
private final class WaitingThreads: TaskExecutor {
    static let shared = WaitingThreads(count: 6)

    private let jobs = Mutex<[UnownedJob]>([])
    private let available = DispatchSemaphore(value: 0)

    private init(count: Int) {
        for _ in 0..<count { Thread.detachNewThread { self.work() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        available.signal()
    }

    private func work() {
        while true {
            available.wait()
            let job = jobs.withLock { $0.removeFirst() }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
