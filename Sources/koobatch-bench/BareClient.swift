import Foundation
import KoobatchCloud
import KoobatchCore
import Logging

/// The HTTP client of koobatch alone, storing nothing: what the network part costs.
struct BareClient {
    let endpoint: String
    let tokenFile: String

    func chunksPerSecond(for seconds: Double) async throws -> Double {
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
        let end = ContinuousClock.now + .seconds(seconds)
        let instances = (0..<32).map { "bare\($0)" }
        let count = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    var generator = SystemRandomNumberGenerator()
                    var count = 0
                    while ContinuousClock.now < end {
                        let request = SubmitRequest(
                            requestID: .random(using: &generator),
                            command: "ls",
                            instanceIDs: instances
                        )
                        do {
                            _ = try await client.submit(request)
                            count += 1
                        } catch {
                            print("bare client: \(error)")
                            return count
                        }
                    }
                    return count
                }
            }
            return await group.reduce(0, +)
        }
        try await client.shutdown()
        return Double(count) / seconds
    }
}
