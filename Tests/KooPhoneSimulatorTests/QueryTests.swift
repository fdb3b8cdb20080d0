import Foundation
import Testing

/// The documented rules of `GET /v1/instances/tasks/{task_id}`.
@Suite struct QueryTests {
    @Test func aFinishedTaskShowsItsJobsWithTheIDsOfTheSubmission() async throws {
        try await withSimulator { client in
            let task = try await client.submit("ls", ["a", "b", "c"]).decode(SubmitResponse.self).data
            let exchange = try await client.query(task.task_id)
            #expect(exchange.status == 200)
            #expect(exchange.isComplete)
            let answer = try exchange.decode(QueryAnswer.self)
            #expect(answer.error_code == "0")
            #expect(answer.data.jobs.map(\.job_id) == task.cmd_jobs.map(\.job_id))
            #expect(answer.data.jobs.map(\.status) == [2, 2, 2])
            #expect(answer.data.jobs.map(\.execute_msg) == ["ok", "ok", "ok"])
        }
    }

    @Test func aJobRunsUntilItsDurationHasPassed() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"duration": 2}"#)
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            client.clock.advance(1.9)
            #expect(try await client.jobs(task).map(\.status) == [1, 1])
            #expect(try await client.jobs(task).map(\.execute_msg) == ["", ""])
            client.clock.advance(0.2)
            #expect(try await client.jobs(task).map(\.status) == [2, 2])
        }
    }

    @Test(arguments: ["", "x", String(repeating: "0", count: 32), String(repeating: "z", count: 32)])
    func anUnknownTaskIsAnError(task: String) async throws {
        try await withSimulator { client in
            _ = try await client.submit()
            let exchange = try await client.query(task)
            #expect(exchange.status == 400)
            #expect(try exchange.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.1323")
        }
    }

    @Test func aJobIsNotATask() async throws {
        try await withSimulator { client in
            let job = try await client.submit().decode(SubmitResponse.self).data.cmd_jobs[0].job_id
            #expect(try await client.query(job).status == 400)
        }
    }

    @Test func theHeadersOfASubmissionAreMandatoryHereToo() async throws {
        try await withSimulator { client in
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            let withoutID = try await client.query(task, headers: ["x-request-id": nil])
            #expect(try withoutID.decode(ErrorAnswer.self).error_code == "KOOPHONE.API.0005")
            #expect(try await client.query(task, headers: ["X-Auth-Token": "wrong"]).status == 401)
            #expect(try await client.query(task, headers: ["Content-Type": nil]).status == 200)
        }
    }

    @Test func tasksSurviveAResetAndAnotherFaultPlan() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"instances": {"a": {"output": "first"}}}"#)
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            #expect(try await client.send("POST", "/sim/reset").status == 204)
            #expect(try await client.send("DELETE", "/sim/faults").status == 200)
            #expect(try await client.jobs(task).map(\.execute_msg) == ["first", "ok"])
        }
    }
}
