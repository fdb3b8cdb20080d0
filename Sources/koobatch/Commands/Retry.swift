import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch retry`.
struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs finished jobs again for the instances that did not succeed.",
        discussion: """
            A chunk on hold belongs to a job that has not finished: settle it with koobatch \
            release or koobatch give-up.

              koobatch retry 7
              koobatch retry 7 --expires-at '+1 day'
              koobatch retry 7 --expires-at never
            """
    )

    @OptionGroup var steering: SteeringOptions

    @Option(help: ArgumentHelp("New expires_at, or never; needed if the old one has passed.", valueName: "time"))
    var expiresAt: String?

    func run() async throws {
        try await reporting {
            try await steering.steer(.retry(expiresAt: expiresAt)) { before, _ in
                let others = before.total - before[.succeeded]
                return "runs again: \(others.of("instance")) that did not succeed"
            }
        }
    }
}
