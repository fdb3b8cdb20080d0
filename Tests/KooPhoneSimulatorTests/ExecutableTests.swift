import Testing

/// The program as a process.
@Suite struct ExecutableTests {
    @Test func itAnnouncesItsPortAndEndsAtOnceOnSIGTERMAlthoughARequestHangs() async throws {
        try await Program.with(["--port", "0", "--token", "t0", "--seed", "42", "--hang-rate", "1"]) { program in
            let line = try await program.nextOutput()
            let announcement = #/koophone-sim listening on http://127\.0\.0\.1:(\d+) seed=42\n/#
            let match = try #require(line.wholeMatch(of: announcement))
            let port = try #require(Int(match.1))
            let client = SimulatorClient(port: port, clock: TestClock(), group: nil)
            try await Connection.with(port: port) { connection in
                try await connection.send(
                    SimulatorClient.text(
                        "POST",
                        "/v1/instances/async-command",
                        body: try SimulatorClient.body("ls", ["a"])
                    )
                )
                while try await client.journal().isEmpty {}
                program.terminate()
                #expect(try await connection.readToEnd().isEmpty)
            }
            let end = try await program.end()
            #expect(end.status == 0)
            #expect(end.complaints.isEmpty)
        }
    }

    @Test(arguments: [
        ["--host", "0.0.0.0"], ["--fail-rate", "2"], ["--access-key", "a"], ["--faults", "/nonexistent"],
    ])
    func itRefusesWrongUsage(arguments: [String]) async throws {
        try await Program.with(arguments) { program in
            let end = try await program.end()
            #expect(end.status == 64)
            #expect(end.complaints.contains(arguments[0]))
        }
    }
}
