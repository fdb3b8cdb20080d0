public import KoobatchCore
import NIOHTTP1

extension KooPhoneClient {
    /// What came of a harmless request.
    public struct Probe: Sendable {
        /// Why the API cannot be used; `nil` if it can.
        public let failure: ServiceFailure?
        /// The clock of the other side, in whole seconds, if it answered and told.
        public let date: Timestamp?
    }

    /// Asks for the results of a task that does not exist: that changes nothing, and an API that says so has been
    /// reached and accepts the credentials.
    public func probe(requestID: RequestID) async -> Probe {
        let noTask = String(repeating: "0", count: 32)
        var date: Timestamp?
        do {
            _ = try await send(
                .GET,
                "/v1/instances/tasks/\(noTask)",
                requestID: requestID,
                reader: QueryReader.init(hiding:),
                look: { date = $0.date }
            )
            return Probe(failure: nil, date: date)
        } catch {
            let isFine = error.errorCode == APICode.noSuchTask
            return Probe(failure: isFine ? nil : error, date: date)
        }
    }
}
