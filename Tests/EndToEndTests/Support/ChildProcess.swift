import Foundation
import TestSupport
import Testing

/// A program of this package that a test starts, signals and waits for.
final class ChildProcess {
    private let command: Command
    private let outputURL: URL
    /// The file with what it has said on stderr.
    let errorURL: URL

    /// The folder of the built programs: that of the test bundle.
    static var builtPrograms: URL {
        URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
    }

    /// Starts a program; what it prints goes to files of its name in the folder.
    init(_ program: String, _ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws {
        let label = "\(program)-\(UUID().uuidString)"
        outputURL = folder.appending(path: "\(label).out")
        errorURL = folder.appending(path: "\(label).err")
        for url in [outputURL, errorURL] { try Data().write(to: url) }
        let output = try FileHandle(forWritingTo: outputURL)
        let errors = try FileHandle(forWritingTo: errorURL)
        command = try Command(
            [Self.builtPrograms.appending(path: program).path] + arguments,
            environment: environment,
            output: output.fileDescriptor,
            errors: errors.fileDescriptor
        )
        try output.close()
        try errors.close()
    }

    var identifier: Int32 { command.identifier }
    var isRunning: Bool { command.isRunning }

    /// What it has printed so far.
    var output: String {
        get throws { String(decoding: try Data(contentsOf: outputURL), as: UTF8.self) }
    }

    /// What it has said on stderr so far.
    var errors: String {
        get throws { String(decoding: try Data(contentsOf: errorURL), as: UTF8.self) }
    }

    /// Blocks until what it has said on stderr fulfils a condition, or it has ended; returns what it has said.
    ///
    /// - Parameter isOutput: whether what it prints on stdout is meant.
    @discardableResult
    func follow(
        isOutput: Bool = false,
        within limit: Duration = .seconds(60),
        until isSaid: (String) throws -> Bool
    ) throws -> String {
        var said = ""
        try FileChanges((isOutput ? outputURL : errorURL).path).wait(
            within: limit,
            else: "it has only said: \(said.suffix(2_000))"
        ) {
            let hasEnded = !isRunning
            said = try isOutput ? output : errors
            return try isSaid(said) || hasEnded
        }
        return said
    }

    /// Blocks until it has said something on stderr, which it must before it ends.
    func waitUntilItSays(_ text: String, within limit: Duration = .seconds(60)) throws {
        let said = try follow(within: limit) { $0.contains(text) }
        #expect(said.contains(text), "\(said)")
    }

    func signal(_ number: Int32) {
        command.signal(number)
    }

    /// Waits for the end and returns the exit status; that of a signal is negative.
    @discardableResult
    func wait() -> Int32 {
        command.wait()
    }
}
