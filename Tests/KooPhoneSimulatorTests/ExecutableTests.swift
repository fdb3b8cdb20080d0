import Foundation
import Testing

/// The program as a process.
@Suite(.serialized) struct ExecutableTests {
    @Test func itAnnouncesItsPortAndEndsAtOnceOnSIGTERMAlthoughARequestHangs() async throws {
        let program = try Program(["--port", "0", "--token", "t0", "--seed", "42", "--hang-rate", "1"])
        let line = try #require(await program.output.first { _ in true })
        let match = try #require(line.wholeMatch(of: #/koophone-sim listening on http://127\.0\.0\.1:(\d+) seed=42\n/#))
        let client = SimulatorClient(port: try #require(Int(match.1)), clock: TestClock(), group: nil)
        try await Connection.with(port: client.port) { connection in
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
        let status = await program.exitStatus()
        let complaints = await program.errors.reduce("", +)
        #expect(status == 0)
        #expect(complaints.isEmpty)
    }

    @Test(arguments: [
        ["--host", "0.0.0.0"], ["--fail-rate", "2"], ["--access-key", "a"], ["--faults", "/nonexistent"],
    ])
    func itRefusesWrongUsage(arguments: [String]) async throws {
        let program = try Program(arguments)
        let complaints = await program.errors.reduce("", +)
        #expect(await program.exitStatus() == 64)
        #expect(complaints.contains(arguments[0]))
    }
}

/// A running koophone-sim, which the build puts beside the tests.
private struct Program {
    let output: AsyncStream<String>
    let errors: AsyncStream<String>
    private let process = Process()
    private let exits: AsyncStream<Int32>

    init(_ arguments: [String]) throws {
        let (exits, exit) = AsyncStream<Int32>.makeStream(bufferingPolicy: .unbounded)
        let standardOutput = Pipe()
        let standardError = Pipe()
        self.exits = exits
        self.output = Self.texts(of: standardOutput)
        self.errors = Self.texts(of: standardError)
        process.executableURL = URL(filePath: CommandLine.arguments[0])
            .deletingLastPathComponent()
            .appending(path: "koophone-sim")
        process.arguments = arguments
        process.standardOutput = standardOutput
        process.standardError = standardError
        process.terminationHandler = { process in
            FileHandle.standardError.write(Data("DBG exit \(process.processIdentifier)\n".utf8))
            exit.yield(process.terminationStatus)
            exit.finish()
        }
        try process.run()
        FileHandle.standardError.write(Data("DBG run \(process.processIdentifier) out \(standardOutput.fileHandleForReading.fileDescriptor) err \(standardError.fileHandleForReading.fileDescriptor)\n".utf8))
    }

    func terminate() {
        process.terminate()
    }

    func exitStatus() async -> Int32? {
        await exits.first { _ in true }
    }

    private static func texts(of pipe: Pipe) -> AsyncStream<String> {
        let (texts, continuation) = AsyncStream<String>.makeStream(bufferingPolicy: .unbounded)
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            FileHandle.standardError.write(Data("DBG data \(handle.fileDescriptor) \(data.count)\n".utf8))
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
            } else {
                continuation.yield(String(decoding: data, as: UTF8.self))
            }
        }
        return texts
    }
}
