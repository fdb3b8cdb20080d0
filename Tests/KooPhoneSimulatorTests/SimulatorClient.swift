import Foundation
import KooPhoneSimulator
import Logging
import ServiceLifecycle
import Synchronization

/// The time in a test; moves only when it is told to.
final class TestClock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_750_000_000))

    var now: Date {
        time.withLock { $0 }
    }

    func set(_ date: Date) {
        time.withLock { $0 = date }
    }

    func advance(_ seconds: TimeInterval) {
        time.withLock { $0 += seconds }
    }
}

/// Runs a simulator on a free port, and a test against it.
func withSimulator(
    clock: TestClock = TestClock(),
    _ change: (inout SimulatorConfiguration) -> Void = { _ in },
    _ test: @Sendable (SimulatorClient) async throws -> Void
) async throws {
    var configuration = SimulatorConfiguration()
    configuration.seed = 1
    configuration.tokens = ["t0"]
    change(&configuration)
    let (ports, announcement) = AsyncStream<Int>.makeStream(bufferingPolicy: .unbounded)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let service = AnnouncingService(
        simulator: Simulator(configuration: configuration, logger: logger, clock: { clock.now }),
        announcement: announcement
    )
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
            logger: logger
        )
    )
    try await withThrowingTaskGroup { tasks in
        tasks.addTask {
            defer { announcement.finish() }
            try await group.run()
        }
        guard let port = await ports.first(where: { _ in true }) else {
            try await tasks.waitForAll()
            throw CancellationError()
        }
        let client = SimulatorClient(port: port, clock: clock, group: group)
        do {
            try await test(client)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
    }
}

private struct AnnouncingService: Service {
    let simulator: Simulator
    let announcement: AsyncStream<Int>.Continuation

    func run() async throws {
        try await simulator.run { announcement.yield($0) }
    }
}

/// Sends requests to a simulator, each on a connection of its own.
struct SimulatorClient: Sendable {
    static let headers = ["X-Auth-Token": "t0", "x-request-id": "r-1", "Content-Type": "application/json"]

    let port: Int
    let clock: TestClock
    /// Nil for a simulator in a process of its own.
    let group: ServiceGroup?

    func send(
        _ method: String,
        _ path: String,
        headers: [String: String?] = [:],
        body: String = ""
    ) async throws -> Exchange {
        try await Connection.with(port: port) { connection in
            try await connection.send(Self.text(method, path, headers: headers, body: body))
            return try Exchange(try await connection.readToEnd())
        }
    }

    /// A whole request; the headers replace the usual ones, and nil takes one away.
    static func text(_ method: String, _ path: String, headers: [String: String?] = [:], body: String) -> String {
        var all: [String: String?] = Self.headers.merging(
            ["Host": "localhost", "Connection": "close", "Content-Length": "\(body.utf8.count)"]
        ) { $1 }
        all.merge(headers) { $1 }
        let lines = all.compactMap { name, value in value.map { "\(name): \($0)" } }
        return "\(method) \(path) HTTP/1.1\r\n\(lines.joined(separator: "\r\n"))\r\n\r\n\(body)"
    }

    func submit(
        _ command: String = "ls -l /system",
        _ instances: [String] = ["a", "b"],
        headers: [String: String?] = [:]
    ) async throws -> Exchange {
        try await submit(body: Self.body(command, instances), headers: headers)
    }

    func submit(body: String, headers: [String: String?] = [:]) async throws -> Exchange {
        try await send("POST", "/v1/instances/async-command", headers: headers, body: body)
    }

    static func body(_ command: String, _ instances: [String]) throws -> String {
        let object: [String: Any] = ["command": command, "instance_ids": instances]
        let data = try JSONSerialization.data(withJSONObject: object, options: .withoutEscapingSlashes)
        return String(decoding: data, as: UTF8.self)
    }

    func query(_ task: String, headers: [String: String?] = [:]) async throws -> Exchange {
        try await send("GET", "/v1/instances/tasks/\(task)", headers: headers)
    }

    func jobs(_ task: String) async throws -> [QueryAnswer.Job] {
        try await query(task).decode(QueryAnswer.self).data.jobs
    }

    func putFaults(_ plan: String) async throws {
        let answer = try await send("PUT", "/sim/faults", body: plan)
        guard answer.status == 200 else { throw PlanRefused(answer: answer.body) }
    }

    func journal(after number: Int? = nil) async throws -> [JournalLine] {
        let suffix = number.map { "?after=\($0)" } ?? ""
        return try await send("GET", "/sim/journal\(suffix)").body
            .split(separator: "\n")
            .map { try JSONDecoder().decode(JournalLine.self, from: Data($0.utf8)) }
    }

    func statistics() async throws -> [String: Int] {
        try await send("GET", "/sim/stats").decode([String: Int].self)
    }
}

struct PlanRefused: Error {
    let answer: String
}
