import Foundation
import TestSupport
import Testing

@Suite("Waiting for a job that does not go on by itself", .programs)
struct WaitTests {
    private static let timeout = ["--wait-timeout", "60s"]

    private func submit(_ koobatch: Koobatch, _ instances: String, _ arguments: String...) throws
        -> (status: Int32, output: String, errors: String)
    {
        try koobatch.run(
            ["submit", "--command", "ls -l /system", "--wait", "--instances", instances] + Self.timeout + arguments
        )
    }

    private func failing() throws -> Koobatch {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"instances": {"bad*": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}}}}"#
        )
        try koobatch.start()
        return koobatch
    }

    @Test("ends with exit code 3 and the reason when its canary failed")
    func canary() throws {
        let outcome = try submit(failing(), "bad1,a,b,c", "--canary", "1")
        #expect(outcome.status == 3)
        #expect(
            outcome.errors.hasSuffix(
                "koobatch: job 1 waits for an operator: canary: 1 of 1 instances did not succeed; "
                    + "resume to run the rest all the same, or cancel\n"
            ),
            "\(outcome.errors)"
        )
        #expect(
            outcome.output.contains("job 1 paused: 0 of 4 instances succeeded, 3 pending, 1 failed"),
            "\(outcome.output)"
        )
    }

    @Test("ends with exit code 3 and the reason when max_errors stopped it, and prints the job with --json")
    func maxErrors() throws {
        let koobatch = try failing()
        let instances = (["bad1", "bad2"] + (0..<100).map { "i\($0)" }).joined(separator: ",")
        let outcome = try submit(koobatch, instances, "--max-errors", "1", "--max-concurrency", "1", "--json")
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("waits for an operator: max_errors: 2 instances failed"), "\(outcome.errors)")
        #expect(outcome.output.contains(#""state":"paused""#), "\(outcome.output)")
    }

    @Test("ends with exit code 3 when it is paused by hand, and so does watch with and without an id")
    func paused() throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        let outcome = try submit(koobatch, "a,b", "--paused")
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("job 1 waits for an operator: "), "\(outcome.errors)")
        for id in [["1"], []] {
            let watch = try koobatch.run(["watch"] + id + Self.timeout)
            #expect(watch.status == 3)
            #expect(watch.errors.contains("koobatch: job 1 waits for an operator: "), "\(watch.errors)")
        }
        // One that goes on is waited for.
        _ = try koobatch.insert(instances: 40)
        #expect(try koobatch.run(["watch"] + Self.timeout).status == 3)
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs WHERE id = 2") == "succeeded")
    }

    @Test("ends with exit code 3 when all that is left is on hold")
    func held() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"rules": [{"on": "submit", "kind": "status_after", "status": 504, "error_code": "APIGW.0203", "times": 1}]}"#
        )
        try koobatch.start()
        let outcome = try submit(koobatch, "a,b", "--on-unknown", "hold")
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("job 1 waits for an operator: chunks on hold"), "\(outcome.errors)")
    }

    @Test("ends with exit code 124 when the time is over, and the job goes on")
    func timeout() throws {
        let koobatch = try Koobatch()
        for arguments in [
            ["submit", "--command", "ls", "--instances", "a", "--wait", "--wait-timeout", "200ms"],
            ["watch", "1", "--wait-timeout", "0.2"], ["watch", "--wait-timeout", "0.2s"],
        ] {
            let outcome = try koobatch.run(arguments)
            #expect(outcome.status == 124)
            #expect(outcome.errors.contains("koobatch: not finished within "), "\(outcome.errors)")
        }
        try koobatch.start()
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM job_status")
    }

    @Test(
        "refuses a time that is none, or that nothing waits for",
        arguments: [
            ["--wait-timeout", "5s"], ["--wait", "--wait-timeout", "0"], ["--wait", "--wait-timeout", "soon"],
        ]
    )
    func usage(_ arguments: [String]) throws {
        let koobatch = try CommandLine()
        let outcome = try koobatch.run(["submit", "--command", "ls", "--instances", "a"] + arguments)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("--wait-timeout"), "\(outcome.errors)")
        #expect(try koobatch.shell.run("SELECT count(*) FROM command_jobs") == "0")
    }
}
