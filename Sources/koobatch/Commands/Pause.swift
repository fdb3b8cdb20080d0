import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch pause`.
struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pauses jobs until they are resumed.",
        discussion: """
            What is in flight is still recorded.

              koobatch pause 7
              koobatch resume 7
            """
    )

    @OptionGroup var steering: SteeringOptions

    func run() async throws {
        try await reporting {
            try await steering.steer(.pause) { _, after in
                "is paused: \(after[.pending].of("instance waits", "instances wait")); koobatch resume \(after.id.rawValue) goes on"
            }
        }
    }
}
