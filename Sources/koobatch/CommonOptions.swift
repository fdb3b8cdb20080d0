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
    enum Code: Int32 {
        case failure = 1
        case configuration = 78
    }

    let code: Code
    let message: String

    init(code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension AsyncParsableCommand {
    /// Runs the body; a failure's sentence goes to stderr and its code to the shell.
    func reporting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            Self.complain(failure.message)
            throw ExitCode(failure.code.rawValue)
        } catch let exit as ExitCode {
            throw exit
        } catch {
            Self.complain("\(error)")
            throw ExitCode(Failure.Code.failure.rawValue)
        }
    }

    /// Writes a sentence to stderr; to the journal with the priority of an error on every line (`sd-daemon(3)`).
    static func complain(_ message: String) {
        let lines = "koobatch: \(message)".split(separator: "\n", omittingEmptySubsequences: false)
        let priority = LogOutput.suitable(.auto) == .journal ? "<3>" : ""
        FileHandle.standardError.write(Data(lines.map { "\(priority)\($0)\n" }.joined().utf8))
    }
}
