import ArgumentParser
import Foundation

/// The options that every subcommand has.
struct CommonOptions: ParsableArguments {
    static let defaultConfigurationPath = "/etc/koobatch/koobatch.yaml"

    @Option(name: .long, help: "The configuration file. (default: \(Self.defaultConfigurationPath), if it is there)")
    var config: String?

    @Option(name: .long, help: "The database, instead of the configured one.")
    var database: String?

    /// The settings, or the end of the program with every problem on stderr and exit code 78.
    func settings(for need: Settings.Need) throws -> Settings {
        do {
            return try Settings.load(file: config, database: database, need: need)
        } catch let problems as SettingsProblems {
            throw Failure(code: .configuration, "\(problems)")
        }
    }
}

/// The end of the program with a sentence on stderr.
struct Failure: Error {
    /// Exit codes; those of `sysexits.h` where it has one.
    enum Code: Int32, CaseIterable {
        case failure = 1
        /// What was waited for does not go on by itself.
        case needsOperator = 3
        case configuration = 78
        /// The time to wait was over; the code of `timeout(1)`.
        case timedOut = 124
    }

    let code: Code
    let message: String

    init(code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension AsyncParsableCommand {
    /// Runs the body; a failure's sentence goes to stderr, or wherever it is to be said, and its code to the shell.
    func reporting(
        to complain: (String) -> Void = { Self.complain($0) },
        _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            complain(failure.message)
            throw ExitCode(failure.code.rawValue)
        } catch let exit as ExitCode {
            throw exit
        } catch {
            complain("\(error)")
            throw ExitCode(Failure.Code.failure.rawValue)
        }
    }

    /// Writes a sentence to stderr.
    static func complain(_ message: String) {
        FileHandle.standardError.write(Data(complaint(message).map { "\($0)\n" }.joined().utf8))
    }

    /// The lines of a sentence; for the journal with the priority of an error on each (`sd-daemon(3)`).
    static func complaint(_ message: String) -> [String] {
        let lines = "koobatch: \(message)".split(separator: "\n", omittingEmptySubsequences: false)
        let priority = LogOutput.suitable(.auto) == .journal ? "<3>" : ""
        return lines.map { "\(priority)\($0)" }
    }
}
