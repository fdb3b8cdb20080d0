public import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A program that a test starts, signals and waits for.
///
/// On `posix_spawn` and `waitpid`: Foundation's `Process` now and then never hears of the end of its child.
public final class Command: Sendable {
    /// The program cannot be started.
    public struct NotStarted: Error, CustomStringConvertible {
        /// Which one, and why.
        public let description: String
    }

    /// The process id.
    public let identifier: Int32
    private let name: String
    private let status: Mutex<Int32?>
    private static let starting = Mutex(())

    /// Starts a program that is looked up on the PATH.
    ///
    /// - Parameters:
    ///   - arguments: the program and its arguments.
    ///   - environment: variables beside those of the test that it inherits.
    ///   - input: its standard input; `nil` is empty.
    ///   - output: its standard output; `nil` is that of the test.
    ///   - errors: its standard error; `nil` is that of the test.
    public init(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: Int32? = nil,
        output: Int32? = nil,
        errors: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        if let output { posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) }
        if let errors { posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO) }
        let variables = Self.inherited.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var identifier: pid_t = 0
        let failure = Self.whileNoneStarts {
            Self.withCStrings(arguments) { argv in
                Self.withCStrings(variables) { envp in
                    posix_spawnp(&identifier, arguments[0], &actions, nil, argv, envp)
                }
            }
        }
        guard failure == 0 else {
            throw NotStarted(description: "\(arguments[0]): \(String(cString: strerror(failure)))")
        }
        self.identifier = identifier
        name = arguments.joined(separator: " ")
        status = Mutex(nil)
    }

    deinit {
        if isRunning {
            signal(SIGKILL)
            wait()
        }
    }

    /// Makes descriptors that programs are not to inherit, or starts a program by itself.
    ///
    /// What has a descriptor of another test holds its other end up, for as long as it lives.
    public static func whileNoneStarts<Value>(_ body: () throws -> Value) rethrows -> Value {
        try starting.withLock { _ in try body() }
    }

    /// The ends of a pipe that no program inherits: to read from, and to write to.
    public static func pipe() throws -> [Int32] {
        var ends: [Int32] = [-1, -1]
        let isMade = whileNoneStarts {
            Glibc.pipe(&ends) == 0 && ends.allSatisfy { fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }
        }
        guard isMade else { throw NotStarted(description: "no pipe: \(String(cString: strerror(errno)))") }
        return ends
    }

    /// Whether it has not ended.
    public var isRunning: Bool { reap(WNOHANG) == nil }

    /// Sends a signal, unless it has ended.
    public func signal(_ number: Int32) {
        if isRunning { kill(identifier, number) }
    }

    /// Waits for the end and returns the exit status; that of a signal is negative.
    ///
    /// - Parameter limit: a program that takes longer is killed, after it was said where it stands: a test fails then, where
    ///   it would wait for ever.
    @discardableResult
    public func wait(within limit: DispatchTimeInterval = .seconds(300)) -> Int32 {
        let overdue = DispatchWorkItem { [identifier, name] in
            print("\(name) (pid \(identifier)) has not ended within \(limit); it is killed. Its threads:")
            print(Self.threads(of: identifier))
            kill(identifier, SIGKILL)
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: overdue)
        var end = siginfo_t()
        while waitid(P_PID, id_t(identifier), &end, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        overdue.cancel()
        return reap(0) ?? -1
    }

    /// What each thread of a process waits for, as the kernel tells it.
    private static func threads(of process: pid_t) -> String {
        let folder = URL(fileURLWithPath: "/proc/\(process)/task")
        let threads = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return threads.map { thread in
            ["comm", "wchan", "syscall"].map { name in
                (try? String(contentsOf: thread.appending(path: name), encoding: .utf8)) ?? "-"
            }
            .joined(separator: " ").replacing("\n", with: "")
        }
        .joined(separator: "\n")
    }

    /// The variables of the test without those that change what koobatch does or prints; `swift test` sets `NO_COLOR`
    /// itself where its output is not a terminal, and without the proxy of this machine.
    private static var inherited: [String: String] {
        ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("KOOBATCH_") && !["NO_COLOR", "COLUMNS", "LINES"].contains(name)
                && !name.lowercased().hasSuffix("_proxy")
        }
    }

    private func reap(_ options: Int32) -> Int32? {
        status.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            var reaped: pid_t
            repeat { reaped = waitpid(identifier, &raw, options) } while reaped < 0 && errno == EINTR
            guard reaped == identifier else { return nil }
            let signal = raw & 0x7f
            status = signal == 0 ? (raw >> 8) & 0xff : -signal
            return status
        }
    }

    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return body(&pointers)
    }
}

extension Command {
    /// What came of a command that ran to its end.
    public struct Outcome: Sendable {
        /// The exit status; that of a signal is negative.
        public let status: Int32
        /// What was printed.
        public let output: String
        /// What was printed on standard error.
        public let errors: String
    }

    /// Runs a program to its end with a text as its input.
    ///
    /// Input and outputs are files without a name, so that nothing blocks however much there is of them.
    public static func run(_ arguments: [String], input text: String = "") throws -> Outcome {
        let (input, output, errors) = (try Scratch(), try Scratch(), try Scratch())
        try input.write(text)
        let command = try Command(
            arguments,
            input: input.descriptor,
            output: output.descriptor,
            errors: errors.descriptor
        )
        let status = command.wait()
        return Outcome(status: status, output: try output.read(), errors: try errors.read())
    }

    /// A file that is gone with its descriptor.
    private final class Scratch {
        private let handle: FileHandle

        var descriptor: Int32 { handle.fileDescriptor }

        init() throws {
            var path = Array("/tmp/koobatch-test-XXXXXX".utf8CString)
            let descriptor = mkstemp(&path)
            guard descriptor >= 0 else { throw NotStarted(description: String(cString: strerror(errno))) }
            unlink(path)
            handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        }

        func write(_ text: String) throws {
            try handle.write(contentsOf: Data(text.utf8))
            try handle.seek(toOffset: 0)
        }

        func read() throws -> String {
            try handle.seek(toOffset: 0)
            return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
        }
    }
}

extension Pipe {
    /// A pipe whose ends programs have only as their input and outputs, so that they see when the test closes it.
    ///
    /// Foundation's own pipes are inherited: what is started meanwhile would keep them open.
    public static func notInherited() -> Pipe {
        Command.whileNoneStarts {
            let pipe = Pipe()
            for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
                _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
            }
            return pipe
        }
    }
}
