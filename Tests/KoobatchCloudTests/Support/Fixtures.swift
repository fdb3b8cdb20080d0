import Foundation
import KoobatchCore
import Logging
import NIOCore
import ServiceConformance
import Testing

@testable import KoobatchCloud

/// A file that is gone when the test is over.
final class ScratchFile: Sendable {
    let path: String

    init(_ text: String, mode: Int = 0o600) throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try write(text, mode: mode)
    }

    /// Replaces the file, as a careful writer does.
    func write(_ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    /// Writes text of the same length in place and sets the time of the file back.
    func overwriteUnseen(with text: String) throws {
        var facts = stat()
        try #require(stat(path, &facts) == 0)
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Int(facts.st_size) == bytes.count)
        try #require(Foundation.write(descriptor, bytes, bytes.count) == bytes.count)
        try #require(futimens(descriptor, [facts.st_atim, facts.st_mtim]) == 0)
    }

    deinit {
        unlink(path)
    }
}

extension LimitTimer {
    /// Has a time limit reached when something has happened, however long that takes on a busy machine.
    static func up(after event: @escaping @Sendable () async -> Void) -> LimitTimer {
        let start = ContinuousClock.now
        return LimitTimer(now: { start }, pause: { _ in await event() })
    }
}

/// Runs a test with a client of an endpoint; without credentials, it has the token of the simulator.
func withClient<Value>(
    of endpoint: String,
    credentials: Credentials? = nil,
    timeout: Duration = .seconds(20),
    network: Network = Network(),
    logger: Logger = Logger(label: "client") { _ in Silence() },
    now: @escaping @Sendable () -> Timestamp = WallClock.now,
    timer: LimitTimer = .system,
    connectionAge: @escaping @Sendable () -> TimeAmount = KooPhoneClient.connectionAge,
    _ body: (KooPhoneClient) async throws -> Value
) async throws -> Value {
    let file = try ScratchFile(SimulatedAPI.token)
    let configuration = try KooPhoneClient.Configuration(
        endpoint: endpoint,
        credentials: credentials ?? .tokenFile(path: file.path),
        timeout: timeout,
        connections: 64,
        userAgent: "koobatch/test",
        network: network
    )
    let client = KooPhoneClient(
        configuration: configuration,
        logger: logger,
        now: now,
        timer: timer,
        connectionAge: connectionAge
    )
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(client))
    } catch {
        result = .failure(error)
    }
    try await client.shutdown()
    withExtendedLifetime(file) {}
    return try result.get()
}

extension SubmitRequest {
    /// A request to a few instances.
    static func sample(
        _ instances: [String] = ["a", "b"],
        id: String = "0123456789abcdef0123456789abcdef",
        needsFreshConnection: Bool = false
    ) -> Self {
        SubmitRequest(
            requestID: RequestID(rawValue: id),
            command: "ls -l /system",
            instances: InstanceIDs(instances),
            needsFreshConnection: needsFreshConnection
        )
    }
}

extension CommandService {
    /// The failure of a submission to a few instances; `nil` if it was accepted.
    func failure() async -> ServiceFailure? { await failure(of: .sample()) }
}
