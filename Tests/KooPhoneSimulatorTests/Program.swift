import Foundation
import Glibc
import NIOPosix
import TestSupport

/// A running koophone-sim, which the build puts beside the tests.
///
/// Waits on threads of NIO's: Foundation's `Process` does not always notice the end of a short-lived one.
struct Program: Sendable {
    private let process: pid_t
    private let output: CInt
    private let errors: CInt

    /// Runs the program for a test, and kills it when the test fails before its end.
    static func with(_ arguments: [String], _ test: @Sendable (Program) async throws -> Void) async throws {
        let program = try Program(arguments)
        do {
            try await test(program)
        } catch {
            kill(program.process, SIGKILL)
            _ = try await program.end()
            throw error
        }
    }

    private init(_ arguments: [String]) throws {
        let path = URL(filePath: CommandLine.arguments[0])
            .deletingLastPathComponent()
            .appending(path: "koophone-sim")
            .path
        let output = try Command.pipe()
        let errors = try Command.pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO)
        var pointers = ([path] + arguments).map { strdup($0) }
        pointers.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var process: pid_t = 0
        let failure = Command.whileNoneStarts {
            posix_spawn(&process, path, &actions, nil, &pointers, &environment)
        }
        pointers.forEach { free($0) }
        posix_spawn_file_actions_destroy(&actions)
        close(output[1])
        close(errors[1])
        guard failure == 0 else { throw SystemError(code: failure) }
        self.process = process
        self.output = output[0]
        self.errors = errors[0]
    }

    /// What the program writes next on standard output; empty when it has ended.
    func nextOutput() async throws -> String {
        try await NIOThreadPool.singleton.runIfActive {
            try Self.read(output) ?? ""
        }
    }

    func terminate() {
        kill(process, SIGTERM)
    }

    /// Waits for the end; returns the exit status and what was written on standard error.
    func end() async throws -> (status: CInt, complaints: String) {
        try await NIOThreadPool.singleton.runIfActive {
            var complaints = ""
            while let text = try Self.read(errors) {
                complaints += text
            }
            var status: CInt = 0
            guard waitpid(process, &status, 0) == process else { throw SystemError(code: errno) }
            close(output)
            close(errors)
            return (status & 0x7F == 0 ? status >> 8 & 0xFF : -1, complaints)
        }
    }

    private static func read(_ descriptor: CInt) throws -> String? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw SystemError(code: errno) }
        return count == 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}

struct SystemError: Error {
    let code: CInt
}
