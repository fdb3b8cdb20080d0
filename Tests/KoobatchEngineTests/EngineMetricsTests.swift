import KoobatchCore
import ServiceConformance
import Testing

@testable import KoobatchEngine

@Suite("The measured API")
struct EngineMetricsTests {
    @Test("is the API: it passes on what is asked, answered, known of credentials and of the clock")
    func passesOn() async throws {
        let failure = ServiceFailure(.throttled, errorCode: "T", message: "m")
        let service = ScriptedService(
            submit: { $0.command == "no" ? failure : nil },
            query: { $0 == "no" ? .failure(failure) : nil }
        )
        let measured = MeasuredService(service)
        #expect(!measured.hasNewCredentials && measured.serverTime == nil)
        service.setNewCredentials(true)
        let time = ServerTime(date: ManualTime.start, wall: ManualTime.start)
        service.setServerTime(time)
        #expect(measured.hasNewCredentials && measured.serverTime == time)
        measured.renewCredentials()
        #expect(service.renewals == 1)
        let answer = try await measured.submit(request("yes"))
        #expect(try await measured.query(taskID: answer.taskID, requestID: RequestID(rawValue: "q")).results.count == 1)
        #expect(await measured.failure(of: request("no")) == failure)
        #expect(await measured.failure(ofTask: "no") == failure)
    }

    private func request(_ command: String) -> SubmitRequest {
        SubmitRequest(requestID: RequestID(rawValue: "r"), command: command, instances: InstanceIDs(["a"]))
    }
}
