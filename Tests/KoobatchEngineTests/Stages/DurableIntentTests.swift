import KoobatchCore
import Logging
import Synchronization
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("Durable intents")
struct DurableIntentTests {
    /// The attempts whose rows had been committed when the log was last synced.
    private final class Disk: Sendable {
        private let requests = Mutex<Set<String>>([])

        func synced(_ attempts: [String]) {
            requests.withLock { $0.formUnion(attempts) }
        }

        func holds(_ request: RequestID) -> Bool {
            requests.withLock { $0.contains("\(request.rawValue)") }
        }
    }

    /// An API that accepts everything and says of each request whether its intent was on the disk.
    private struct Service: CommandService {
        let disk: Disk
        let requests: AsyncStream<Bool>.Continuation
        let hasNewCredentials = false
        let serverTime: ServerTime? = nil

        func renewCredentials() {}

        func submit(_ request: SubmitRequest) async throws(ServiceFailure) -> SubmitResponse {
            requests.yield(disk.holds(request.requestID))
            let id = String("\(request.requestID.rawValue)".filter { $0 != "-" }.prefix(32))
            return SubmitResponse(
                taskID: id,
                jobIDs: InstanceIDs(request.instances.list.map { "j\($0)" }).json
            )
        }

        func query(taskID: String, requestID: RequestID) async throws(ServiceFailure) -> TaskReport {
            throw ServiceFailure(.notSent, errorCode: "C", message: "m")
        }
    }

    @Test("are on the disk before their requests start")
    func beforeRequests() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        let (disk, shell) = (Disk(), SQLiteShell(database: path))
        let store = try Store(path: path) { _ in
            disk.synced(try shell.rows("SELECT request_id FROM attempts").map { $0[0] })
        }
        let ids = (0..<20).map { "\"i\($0)\"" }.joined(separator: ",")
        try shell.rows("INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\(ids)]');")
        let (requests, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .unbounded)
        let engine = try await Self.engine(store, Service(disk: disk, requests: continuation))
        try await withThrowingTaskGroup { group in
            for service in engine.services {
                if let planner = service as? Planner { group.addTask { try await planner.run() } }
                if let submitter = service as? Submitter { group.addTask { try await submitter.run() } }
            }
            var wereDurable: [Bool] = []
            for await isDurable in requests {
                wereDurable.append(isDurable)
                if wereDurable.count == 10 { break }
            }
            #expect(wereDurable == Array(repeating: true, count: 10))
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("that cannot be made durable are not sent, and end the submitter")
    func brokenDisk() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        let store = try Store(path: path) { _ in throw StoreError.cannotSync(reason: "no such disk") }
        try SQLiteShell(database: path).rows(
            "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"a\"]');"
        )
        let (requests, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .unbounded)
        let engine = try await Self.engine(store, Service(disk: Disk(), requests: continuation))
        for case let submitter as Submitter in engine.services {
            await #expect(throws: StoreError.self) { try await submitter.run() }
        }
        continuation.finish()
        #expect(await requests.reduce(0) { count, _ in count + 1 } == 0)
    }

    private static func engine(_ store: Store, _ service: Service) async throws -> Engine {
        Engine(
            configuration: Engine.Configuration(
                chunkSize: 2,
                maxInFlight: 2,
                rules: SubmissionRules(backoff: Backoff(base: .seconds(1), maximum: .seconds(60)), polling: nil),
                requestsPerSecond: nil,
                retention: nil
            ),
            store: store,
            service: service,
            memory: try await store.gateMemory(),
            time: .system,
            logger: Logger(label: "engine") { _ in SwiftLogNoOpLogHandler() }
        )
    }
}
