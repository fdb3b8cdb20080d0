import GRDB
import KoobatchCore
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// All stages together, as services, with the clocks of the system and pauses of milliseconds.
@Suite("The engine", .timeLimit(.minutes(2)))
struct EngineRunTests {
    private static let schedule = PollSchedule(
        initialDelay: .milliseconds(1),
        maxDelay: .milliseconds(5),
        resultTimeout: .seconds(600)
    )

    private static func bed(
        _ service: ScriptedService = ScriptedService(),
        sync: @escaping @Sendable (Int32) throws -> Void = { _ in },
        publish: @escaping @Sendable () async -> String? = { nil }
    ) async throws -> EngineBed {
        try await EngineBed(
            service: service,
            polling: schedule,
            busyTimeout: .seconds(5),
            sync: sync,
            time: .system,
            publish: publish
        )
    }

    private static func group(of engine: Engine) -> ServiceGroup {
        ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: engine.services.map {
                    .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
        )
    }

    @Test("does a job from the insert to the last result, woken by the insert alone")
    func job() async throws {
        let bed = try await Self.bed()
        let group = Self.group(of: bed.engine)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            try await bed.insert(10)
            await bed.log.wait(for: "Job finished")
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["succeeded"])
        #expect(bed.service.submitted.count == 5)
        #expect(bed.said("Job finished") == 1)
    }

    @Test("records what is in flight when it is told to stop, and the log of jobs has the last word")
    func shutdown() async throws {
        let (submissions, queries, told) = (Valve(), Valve(), Valve())
        let service = ScriptedService(
            submit: { request in
                if request.instances.list.contains("held0") {
                    await withGracefulShutdownHandler {
                        await submissions.pass()
                    } onGracefulShutdown: {
                        told.open()
                    }
                }
                return nil
            },
            query: { _ in
                await queries.pass()
                return nil
            }
        )
        let bed = try await Self.bed(service)
        let group = Self.group(of: bed.engine)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            try await bed.insert(2)
            await queries.arrivals(1)
            try await bed.insert(2, prefix: "held")
            await submissions.arrivals(1)
            await group.triggerGracefulShutdown()
            // The submitter is told when the planner has ended.
            await told.pass()
            try await bed.insert(2, prefix: "late")
            submissions.open()
            queries.open()
            try await tasks.waitForAll()
        }
        try await bed.engine.end()
        try bed.engine.requireSaved()
        // Results of the second job may have come before the poller was told.
        let states = try await bed.rows("SELECT state FROM command_jobs ORDER BY id")
        #expect(states[0] == "succeeded" && states[1] != "queued" && states[2] == "queued")
        #expect(try await bed.rows("SELECT count(*) FROM chunks WHERE task_id IS NULL") == ["0"])
        #expect(bed.said("Job finished") == states.count { $0 == "succeeded" })
        #expect(service.submitted.count == 2, "nothing is claimed after that")
        #expect(try await bed.rows("SELECT stopped_at IS NOT NULL FROM daemon_state") == ["1"])
    }

    /// Where the engine waits for something.
    enum Place: String, CaseIterable, Sendable {
        case submission
        case query
        case sync
        case lock
        case publication
        case nothing
    }

    @Test("ends when it is cancelled, wherever it waits, and loses nothing", arguments: Place.allCases)
    func cancellation(_ place: Place) async throws {
        let valve = Valve()
        let disk = SlowDisk()
        let isFirst = Mutex(true)
        let service = ScriptedService(
            submit: { _ in
                if place == .submission { await valve.pass() }
                return nil
            },
            query: { _ in
                if place == .query { await valve.pass() }
                return nil
            }
        )
        let bed = try await Self.bed(service, sync: disk.sync) {
            let isOnce = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            if place == .publication, isOnce { await valve.pass() }
            return nil
        }
        let group = Self.group(of: bed.engine)
        let running = Task { try await group.run() }
        switch place {
        case .submission, .query:
            try await bed.insert(2, ["on_unknown": "'hold'"])
            await valve.arrivals(1)
        case .publication:
            await valve.arrivals(1)
        case .sync:
            disk.slow()
            try await bed.insert(2, ["on_unknown": "'hold'"])
            await disk.arrival()
        case .lock:
            try await bed.insert(2, ["on_unknown": "'hold'"])
            try await bed.lock()
        case .nothing:
            try await bed.insert(2, ["on_unknown": "'hold'"])
            await bed.log.wait(for: "Job finished")
        }
        running.cancel()
        if place == .sync { disk.fast() }
        if place == .lock { try await bed.unlock() }
        _ = await running.result
        try await bed.requireNothingLost(place.rawValue)
        try bed.engine.requireSaved()
    }

    @Test("is cancelled and begins again at any moment, under every answer, and loses nothing", arguments: 1...12)
    func histories(seed: UInt64) async throws {
        let generator = Mutex(SeededGenerator(seed: seed))
        let events = Events()
        @Sendable func random(_ range: Range<Int>) -> Int {
            generator.withLock { Int.random(in: range, using: &$0) }
        }
        let service = ScriptedService(
            submit: { request in
                events.happened()
                return switch random(0..<12) {
                case 0:
                    ServiceFailure(
                        .unknown,
                        errorCode: ServiceFailure.Code.timeout,
                        message: "m",
                        endpointFault: EndpointFault.none
                    )
                case 1: ServiceFailure(.notSent, errorCode: ServiceFailure.Code.interrupted, message: "m")
                case 2: ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1000", message: "m")
                default: nil
                }
            },
            query: { _ in
                events.happened()
                return nil
            }
        )
        let bed = try await Self.bed(service)
        for (prefix, onUnknown) in [("h", "hold"), ("r", "retry"), ("f", "fail")] {
            try await bed.insert(8, ["on_unknown": "'\(onUnknown)'", "max_attempts": "100"], prefix: prefix)
        }
        var engine = bed.engine
        for cycle in 0..<6 {
            let running = engine
            // So that there is always something to be cancelled in.
            try await bed.insert(40, ["on_unknown": "'retry'"], prefix: "cycle\(cycle)-")
            try await withThrowingTaskGroup { tasks in
                tasks.addTask {
                    do {
                        try await Self.group(of: running).run()
                    } catch is CancellationError {
                        // As it is told.
                    }
                }
                await events.wait(for: random(1..<9))
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
            try await bed.requireNothingLost("seed \(seed)")
            engine = try await bed.makeEngine()
            _ = try await engine.begin(pid: 1, version: "next")
        }
        // No instance of a job that holds was accepted twice.
        let held = service.accepted.flatMap { $0.instances.list }.filter { $0.hasPrefix("h") }
        #expect(Set(held).count == held.count, "seed \(seed)")
    }
}

/// Counts what happens to an API, for a test that waits for it.
private final class Events: Sendable {
    private let stream = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)

    func happened() { stream.continuation.yield() }

    /// Waits for so many events.
    func wait(for count: Int) async {
        var left = count
        for await _ in stream.stream {
            left -= 1
            if left == 0 { return }
        }
    }
}

extension EngineBed {
    /// What holds at every moment, whatever went before.
    fileprivate func requireNothingLost(_ comment: String) async throws {
        let attempts = Set(try await rows("SELECT request_id FROM attempts"))
        for request in service.submitted {
            #expect(attempts.contains(request.requestID.rawValue), "\(comment): an intent is missing")
        }
        let known = Set(try await rows("SELECT request_id FROM attempts WHERE outcome = 'accepted'"))
        for request in service.accepted {
            #expect(known.contains(request.requestID.rawValue), "\(comment): an acceptance is lost")
        }
        #expect(known.count == service.accepted.count, "\(comment): an acceptance is invented")
        let open = try await rows("SELECT count(*) FROM attempts WHERE outcome IS NULL")
        #expect(open == ["0"], "\(comment): an answer is not recorded")
    }
}
