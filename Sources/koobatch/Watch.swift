import ArgumentParser
import Foundation
import KoobatchCore
import KoobatchStore

/// `koobatch watch`.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a job, or all unfinished ones, while they run.",
        discussion: """
            Ends when the job has finished: exit 0 if it succeeded, else 1. Without an id it \
            ends when no job is unfinished. Ctrl-C ends the view; the jobs go on.

              koobatch watch 7
              koobatch watch
              koobatch watch 7 --json

            Where the output is no terminal there is a line for every change of state and \
            every tenth; with --json an object for every change.
            """
    )

    @Argument(help: "The id of a job.")
    var id: CommandJobID?

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reporting {
            let client = try common.client(for: .reading)
            let form: JobView.Form = output.json ? .json : .progress
            do {
                if let id {
                    try await follow(id, client: client, form: form)
                } else {
                    try await followAll(client: client, form: form)
                }
            } catch let interruption as JobFollower.Interrupted {
                throw ExitCode(interruption.status)
            }
        }
    }

    private func follow(_ id: CommandJobID, client: DatabaseClient, form: JobView.Form) async throws {
        let job = try await JobView(id: id, client: client, handle: .standardOutput, form: form).follow()
        if !output.json {
            try JobSummary(job: job, client: client, flags: common.asTyped).print(to: StandardOutput())
        }
        if job.state != .succeeded { throw ExitCode(Failure.Code.failure.rawValue) }
    }

    private func followAll(client: DatabaseClient, form: JobView.Form) async throws {
        if try client.unfinishedJobs().isEmpty {
            if !output.json {
                let printer = StandardOutput()
                try printer.line("no job is unfinished; koobatch status\(common.asTyped) shows those that finished")
                try printer.flush()
            }
            return
        }
        try await JobsView(client: client, handle: .standardOutput, form: form).follow()
    }
}
