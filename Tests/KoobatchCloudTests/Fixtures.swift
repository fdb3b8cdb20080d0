import Foundation
import KoobatchCloud
import KoobatchCore
import Logging

/// A file that is gone when the test is over.
struct ScratchFile: ~Copyable {
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

    deinit {
        unlink(path)
    }
}

/// Runs a test with a client of an endpoint.
func withClient<Value>(
    of endpoint: String,
    token: String = SimulatedAPI.token,
    timeout: Duration = .seconds(20),
    logger: Logger = Logger(label: "client") { _ in Silence() },
    now: @escaping @Sendable () -> Timestamp = WallClock.now,
    _ body: (KooPhoneClient) async throws -> Value
) async throws -> Value {
    let file = try ScratchFile(token)
    return try await withClient(
        of: endpoint,
        tokenFile: file.path,
        timeout: timeout,
        logger: logger,
        now: now,
        body
    )
}

/// Runs a test with a client of an endpoint and a token file.
func withClient<Value>(
    of endpoint: String,
    tokenFile: String,
    timeout: Duration = .seconds(20),
    logger: Logger = Logger(label: "client") { _ in Silence() },
    now: @escaping @Sendable () -> Timestamp = WallClock.now,
    _ body: (KooPhoneClient) async throws -> Value
) async throws -> Value {
    let configuration = try KooPhoneClient.Configuration(
        endpoint: endpoint,
        tokenFile: tokenFile,
        timeout: timeout,
        connections: 64,
        userAgent: "koobatch/test"
    )
    let client = KooPhoneClient(configuration: configuration, logger: logger, now: now)
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(client))
    } catch {
        result = .failure(error)
    }
    try await client.shutdown()
    return try result.get()
}

extension SubmitRequest {
    /// A request to a few instances.
    static func sample(_ instances: [String] = ["a", "b"], id: String = "0123456789abcdef0123456789abcdef") -> Self {
        SubmitRequest(requestID: RequestID(rawValue: id), command: "ls -l /system", instanceIDs: instances)
    }
}

extension CommandService {
    /// The failure of a submission; `nil` if it was accepted.
    func failure(of request: SubmitRequest = .sample()) async -> ServiceFailure? {
        do {
            _ = try await submit(request)
            return nil
        } catch {
            return error
        }
    }

    /// The failure of a query; `nil` if it was answered.
    func failure(ofTask task: String) async -> ServiceFailure? {
        do {
            _ = try await query(taskID: task, requestID: RequestID(rawValue: "q"))
            return nil
        } catch {
            return error
        }
    }
}
