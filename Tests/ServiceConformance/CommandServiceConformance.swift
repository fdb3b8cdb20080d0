import Foundation
public import KoobatchCore
import Testing

/// What every command service does while nothing is wrong; its tests run it against each implementation.
///
/// The API behind the service must accept every instance and end every job well and at once.
public struct CommandServiceConformance: Sendable {
    private let service: any CommandService

    /// Creates the checks of a service.
    public init(service: any CommandService) {
        self.service = service
    }

    /// Checks everything.
    public func check() async throws {
        try await mapsEveryInstance()
        try await runsTheSameRequestTwice()
        try await reportsTheResultsOfATask()
        try await refusesToReportOnAnUnknownTask()
        try await keepsConcurrentRequestsApart()
        await sendsNothingOnceCancelled()
    }

    private func mapsEveryInstance() async throws {
        for count in [1, 2, 32] {
            let answer = try await service.submit(request(1, count: count))
            #expect((1...32).contains(answer.taskID.count))
            let jobIDs = try answer.jobIDList.compactMap(\.self)
            #expect(jobIDs.count == count && Set(jobIDs).count == count)
            #expect(jobIDs.allSatisfy { (1...64).contains($0.count) })
            #expect(answer.missing.isEmpty)
        }
    }

    private func runsTheSameRequestTwice() async throws {
        let first = try await service.submit(request(2))
        let second = try await service.submit(request(2))
        #expect(first.taskID != second.taskID)
        #expect(try Set(first.jobIDList).isDisjoint(with: second.jobIDList))
    }

    private func reportsTheResultsOfATask() async throws {
        let accepted = try await service.submit(request(3))
        let report = try await service.query(taskID: accepted.taskID, requestID: id(4))
        #expect(try Set(report.results.keys) == Set(accepted.jobIDList.compactMap(\.self)))
        #expect(report.results.values.allSatisfy { $0.succeeded && $0.errorCode == nil && $0.output != nil })
        let again = try await service.query(taskID: accepted.taskID, requestID: id(5))
        #expect(again == report)
    }

    private func refusesToReportOnAnUnknownTask() async throws {
        let failure = await service.failure(ofTask: "no such task/at all")
        #expect(failure?.outcome == .refused)
        #expect(failure?.errorCode == "KOOPHONE.API.1323")
        #expect(failure?.message.isEmpty == false)
    }

    private func keepsConcurrentRequestsApart() async throws {
        try await withThrowingTaskGroup(of: (Int, SubmitResponse).self) { group in
            for number in 100..<164 {
                group.addTask { (number, try await service.submit(request(number))) }
            }
            var tasks: Set<String> = []
            for try await (_, answer) in group {
                tasks.insert(answer.taskID)
                #expect(try answer.jobIDList.count == 3 && answer.missing.isEmpty)
            }
            #expect(tasks.count == 64)
        }
    }

    private func sendsNothingOnceCancelled() async {
        let failure = await withTaskGroup(of: ServiceFailure?.self) { group in
            group.cancelAll()
            group.addTask { await service.failure(of: request(6)) }
            return await group.next() ?? nil
        }
        #expect(failure?.outcome == .notSent)
        #expect(failure?.errorCode == ServiceFailure.Code.interrupted)
    }

    private func request(_ number: Int, count: Int = 3) -> SubmitRequest {
        SubmitRequest(
            requestID: id(number),
            command: "ls -l /system",
            instances: InstanceIDs(instances(number, count: count))
        )
    }

    private func instances(_ number: Int, count: Int) -> [String] {
        (0..<count).map { "phone-\(number)-\($0)" }
    }

    private func id(_ number: Int) -> RequestID {
        RequestID(rawValue: "conformance-\(number)")
    }
}

extension SubmitResponse {
    /// The job ids in the order of the request.
    public var jobIDList: [String?] {
        get throws { try JSONDecoder().decode([String?].self, from: Data(jobIDs.utf8)) }
    }
}

extension CommandService {
    /// The failure of a submission; `nil` if it was accepted.
    public func failure(of request: SubmitRequest) async -> ServiceFailure? {
        do {
            _ = try await submit(request)
            return nil
        } catch {
            return error
        }
    }

    /// The failure of a query; `nil` if it was answered.
    public func failure(ofTask task: String) async -> ServiceFailure? {
        do {
            _ = try await query(taskID: task, requestID: RequestID(rawValue: "q"))
            return nil
        } catch {
            return error
        }
    }
}
