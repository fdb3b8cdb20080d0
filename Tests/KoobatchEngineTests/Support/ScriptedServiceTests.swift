import KoobatchCore
import ServiceConformance
import Testing

@Suite("The scripted API")
struct ScriptedServiceTests {
    @Test("is a command service as the client is")
    func conformance() async throws {
        try await CommandServiceConformance(service: ScriptedService()).check()
    }

    @Test("answers as its script says, and tells what it was asked")
    func script() async {
        let failure = ServiceFailure(.throttled, errorCode: "C", message: "m")
        let service = ScriptedService(
            submit: { $0.command == "no" ? failure : nil },
            query: { $0 == "t" ? .failure(failure) : nil }
        )
        let request = SubmitRequest(
            requestID: RequestID(rawValue: "r"),
            command: "no",
            instances: InstanceIDs(["a"])
        )
        #expect(await service.failure(of: request) == failure)
        #expect(await service.failure(ofTask: "t") == failure)
        #expect(service.submitted == [request] && service.accepted.isEmpty && service.queried == ["t"])
    }

    @Test("ends a request that is out as unknown when its task is cancelled")
    func cancelled() async {
        let valve = Valve()
        let service = ScriptedService(submit: { _ in
            await valve.pass()
            return nil
        })
        let request = SubmitRequest(
            requestID: RequestID(rawValue: "r"),
            command: "c",
            instances: InstanceIDs(["a"])
        )
        let asking = Task { await service.failure(of: request) }
        await valve.arrivals(1)
        asking.cancel()
        #expect(await asking.value?.outcome == .unknown)
        #expect(service.accepted.isEmpty)
    }
}
