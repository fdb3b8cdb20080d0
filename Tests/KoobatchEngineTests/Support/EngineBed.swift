import Foundation
import GRDB
import KoobatchCore
import Logging
import Synchronization
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// An engine with a database of its own, a scripted API, clocks that the test sets, and a user's connection beside it.
///
/// Nothing runs by itself: tests drive the turns of the stages, or run the services.
struct EngineBed: Sendable {
    static let schedule = PollSchedule(
        initialDelay: .seconds(1),
        maxDelay: .seconds(10),
        resultTimeout: .seconds(600)
    )

    private let folder: TemporaryDirectory
    let path: String
    let clock = ManualTime()
    let log = LogRecorder()
    let service: ScriptedService
    let store: Store
    let engine: Engine
    /// The engine of the next daemon, on the same database.
    let makeEngine: @Sendable () async throws -> Engine
    /// A connection with the settings of a stock shell.
    let user: DatabaseQueue

    var queues: StageQueues { engine.queues }
    var gate: RequestGate { engine.gate }

    init(
        service: ScriptedService = ScriptedService(),
        chunkSize: Int = 2,
        maxInFlight: Int = 4,
        polling: PollSchedule? = schedule,
        retention: Duration? = nil,
        owner: Bool = false,
        busyTimeout: Duration = .milliseconds(20),
        sync: @escaping @Sendable (Int32) throws -> Void = { _ in },
        time: EngineTime? = nil,
        publish: @escaping @Sendable () async -> String? = { nil }
    ) async throws {
        folder = try TemporaryDirectory()
        path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        let lock = owner ? try OwnerLock(database: path, owner: "the test") : nil
        store = try Store(path: path, lock: lock, busyTimeout: busyTimeout, sync: sync)
        self.service = service
        let (store, time, log) = (store, time ?? clock.time, log)
        let settings = Self.configuration(
            chunkSize: chunkSize,
            maxInFlight: maxInFlight,
            polling: polling,
            retention: retention
        )
        makeEngine = {
            Engine(
                configuration: settings,
                store: store,
                service: service,
                memory: try await store.gateMemory(),
                time: time,
                logger: log.logger,
                publish: publish
            )
        }
        engine = try await makeEngine()
        var configuration = GRDB.Configuration()
        configuration.foreignKeysEnabled = false
        configuration.allowsUnsafeTransactions = true
        configuration.busyMode = .timeout(10)
        user = try DatabaseQueue(path: path, configuration: configuration)
        _ = try await engine.begin(pid: 1, version: "test")
    }

    static func configuration(
        chunkSize: Int = 2,
        maxInFlight: Int = 4,
        polling: PollSchedule? = schedule,
        requestsPerSecond: Double? = nil,
        retention: Duration? = nil
    ) -> Engine.Configuration {
        Engine.Configuration(
            chunkSize: chunkSize,
            maxInFlight: maxInFlight,
            rules: SubmissionRules(backoff: Backoff(base: .seconds(1), maximum: .seconds(60)), polling: polling),
            requestsPerSecond: requestsPerSecond,
            retention: retention
        )
    }

    /// A stage of the engine.
    func stage<Stage>(_: Stage.Type = Stage.self) throws -> Stage {
        try #require(engine.services.lazy.compactMap { $0 as? Stage }.first)
    }

    func file(_ name: String) -> String { folder.path(name) }

    /// Inserts a job that is due at the start of the clock; few of its chunks wait for the first acceptance.
    func insert(_ instances: Int, _ columns: [String: String] = [:], prefix: String = "i") async throws {
        let ids = JSONText.array((0..<instances).map { "\(prefix)\($0)" })
        let names = columns.keys.map { ", \($0)" }.joined()
        let values = columns.values.map { ", \($0)" }.joined()
        try await run(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at\(names))
            VALUES ('id', '\(ids)', '\(ManualTime.start)'\(values))
            """
        )
    }

    /// Runs a statement of a user.
    func run(_ sql: String) async throws {
        try await user.writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    /// Runs a statement as the daemon does, without the rules for people.
    func runAsDaemon(_ sql: String) async throws {
        try await store.write { try $0.execute(sql: sql) }
    }

    /// The rows of a query, as text.
    func rows(_ sql: String) async throws -> [String] {
        try await user.writeWithoutTransaction { db in
            try Row.fetchAll(db, sql: sql).map { row in
                row.databaseValues.map { $0.isNull ? "-" : "\($0.storage.value ?? "-")" }.joined(separator: " ")
            }
        }
    }

    /// Renames a table and nothing that speaks of it, so that what needs it fails until it has its name again.
    func rename(_ table: String, to name: String) async throws {
        try await run("PRAGMA legacy_alter_table = ON; ALTER TABLE \(table) RENAME TO \(name)")
    }

    /// Keeps the write lock until `unlock()`.
    func lock() async throws { try await run("BEGIN IMMEDIATE") }

    func unlock() async throws { try await run("ROLLBACK") }

    /// Takes the database away from under the engine.
    func replaceDatabase() throws {
        try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
        try Data().write(to: URL(filePath: path))
    }

    /// How often the log has a line that holds this.
    func said(_ text: String) -> Int { log.lines.count { $0.contains(text) } }

    /// Whether a stage has been woken and has not looked yet.
    func isWoken(_ stage: Supervision.Stage) -> Bool {
        switch stage {
        case .planner: queues.planner.state.withLock { $0.isWoken }
        case .submitter: queues.submitter.state.withLock { $0.isWoken }
        case .poller: queues.poller.state.withLock { $0.isWoken }
        case .housekeeper: queues.housekeeper.state.withLock { $0.isWoken }
        case .jobLogger: queues.jobLogger.state.withLock { $0.isWoken }
        case .watcher: false
        }
    }

    /// The stages that have been woken; they count as having looked.
    func wokenStages() async -> Set<Supervision.Stage> {
        let woken = Set(Supervision.Stage.allCases.filter(isWoken))
        for stage in woken {
            switch stage {
            case .planner: _ = await queues.planner.take(time: clock.time)
            case .submitter where queues.submitter.waiting.isEmpty: _ = await queues.submitter.take(time: clock.time)
            case .poller where queues.poller.waiting.isEmpty: _ = await queues.poller.take(time: clock.time)
            case .housekeeper: _ = await queues.housekeeper.take(time: clock.time)
            case .jobLogger: _ = await queues.jobLogger.take(time: clock.time)
            case .watcher, .submitter, .poller: break
            }
        }
        return woken
    }
}

/// The submitter, turn by turn.
struct SubmissionDriver {
    let bed: EngineBed
    let submitter: Submitter
    var state: SubmissionState

    init(_ bed: EngineBed) throws {
        self.bed = bed
        submitter = try bed.stage()
        state = SubmissionState(submitter, earlier: bed.queues.submitter.waiting)
    }

    /// A turn with what has come.
    mutating func turn(stopping: Bool = false) async throws -> SubmissionState.Turn {
        let queue = bed.queues.submitter
        let elements = queue.waiting.isEmpty ? [] : await queue.take(time: bed.clock.time).elements
        return try await state.turn(.init(elements: elements, isStopping: stopping), at: bed.clock.now)
    }

    /// What follows a turn, until its requests have their answers.
    func follow(_ turn: SubmissionState.Turn) async {
        if let work = turn.work { await submitter.follow(work, state.disk) }
    }

    /// A turn and what follows it.
    @discardableResult
    mutating func step(stopping: Bool = false) async throws -> SubmissionState.Turn {
        let turn = try await turn(stopping: stopping)
        await follow(turn)
        return turn
    }

    /// Turns until nothing is to be sent, is in flight or waits to be recorded.
    mutating func drain() async throws {
        while case let turn = try await step(), turn.work != nil || state.inFlight > 0 {}
    }
}

/// The poller, turn by turn.
struct PollingDriver {
    let bed: EngineBed
    let poller: Poller
    var state: PollingState

    init(_ bed: EngineBed) throws {
        self.bed = bed
        poller = try bed.stage()
        state = PollingState(poller)
    }

    mutating func turn(stopping: Bool = false) async throws -> PollingState.Turn {
        let queue = bed.queues.poller
        let elements = queue.waiting.isEmpty ? [] : await queue.take(time: bed.clock.time).elements
        return try await state.turn(.init(elements: elements, isStopping: stopping), at: bed.clock.now)
    }

    /// A turn and the answers to what it asks.
    @discardableResult
    mutating func step(stopping: Bool = false) async throws -> PollingState.Turn {
        let turn = try await turn(stopping: stopping)
        for query in turn.queries { await poller.ask(query) }
        return turn
    }
}
