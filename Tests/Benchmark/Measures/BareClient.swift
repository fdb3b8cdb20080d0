import ArgumentParser
import Foundation
import KoobatchCloud
import KoobatchCore
import Logging

/// The HTTP client of koobatch alone, keeping nothing: what the network part costs.
///
/// A program of its own, so that an earlier build's can be measured in turn with this one's.
struct BareClient: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Submits chunks with koobatch's HTTP client, keeping nothing."
    )

    @Option(help: "The API.")
    var endpoint: String

    @Option(help: "File of the token.", completion: .file())
    var tokenFile: String

    @Option(help: "Chunks of 32 instances to submit.")
    var chunks = 1_000

    @Option(help: "Requests in flight at once.")
    var inFlight = 32

    func run() async throws {
        let client = KooPhoneClient(
            configuration: try KooPhoneClient.Configuration(
                endpoint: endpoint,
                credentials: .tokenFile(path: tokenFile),
                timeout: .seconds(30),
                connections: 64,
                userAgent: "koobatch-bench"
            ),
            logger: Logger(label: "bench")
        )
        let (count, workers) = (chunks, inFlight)
        try await withThrowingTaskGroup { group in
            for worker in 0..<workers {
                group.addTask {
                    var generator = SystemRandomNumberGenerator()
                    for chunk in stride(from: worker, to: count, by: workers) {
                        let request = SubmitRequest(
                            requestID: .random(using: &generator),
                            command: "ls",
                            instances: InstanceIDs((0..<32).map { "p\(chunk)x\($0)" })
                        )
                        _ = try await client.submit(request)
                    }
                }
            }
            try await group.waitForAll()
        }
        try await client.shutdown()
    }
}
