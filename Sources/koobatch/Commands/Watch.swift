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
            ends when no job is unfinished. Jobs that are paused or on hold do not go on by \
            themselves: when no other is left it ends with the reason and exit 3. Ctrl-C ends \
            the view; the jobs go on.

              koobatch watch 7
              koobatch watch
              koobatch watch 7 --json

            Where the output is no terminal there is a line for every change of state and \
            every 10%; with --json an object for every change.
            """
    )

    @Argument(help: "The id of a job.")
    var id: CommandJobID?

    @OptionGroup var limit: WaitOptions
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
            } catch is JobFollower.TimedOut {
                throw limit.failure
            }
        }
    }

    private func follow(_ id: CommandJobID, client: DatabaseClient, form: JobView.Form) async throws {
        let view = JobView(id: id, client: client, handle: .standardOutput, form: form, timeout: limit.duration)
        let outcome = try await view.follow()
        if !output.json {
            try JobSummary(job: outcome.job, client: client, flags: common.asTyped).print(to: StandardOutput())
        }
        if let obstacle = outcome.obstacle { throw Failure(code: .needsOperator, obstacle.complaint) }
        if outcome.job.state != .succeeded { throw ExitCode(Failure.Code.failure.rawValue) }
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
        let view = JobsView(client: client, handle: .standardOutput, form: form, timeout: limit.duration)
        let obstacles = try await view.follow()
        if !obstacles.isEmpty {
            throw Failure(code: .needsOperator, obstacles.map(\.complaint).joined(separator: "\n"))
        }
    }
}
