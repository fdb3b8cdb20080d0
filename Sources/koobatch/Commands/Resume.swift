import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch resume`.
struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Resumes paused jobs.",
        discussion: """
            A job that paused by itself, for its canary or its max_errors, goes on as well: \
            the rest is sent, and errors count from here.

              koobatch resume 7
              koobatch resume 7 8 9
            """
    )

    @OptionGroup var steering: SteeringOptions

    func run() async throws {
        try await reporting {
            try await steering.steer(.resume) { _, after in
                "is \(after.state.rawValue) again: \(after[.pending].of("instance")) to go"
            }
        }
    }
}
