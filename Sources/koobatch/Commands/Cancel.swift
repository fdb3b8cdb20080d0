import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch cancel`.
struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cancels jobs: nothing more is sent.",
        discussion: """
            What is in flight is still recorded. koobatch retry runs again what did not succeed.

              koobatch cancel 7
              koobatch cancel 7 8 9 --json
            """
    )

    @OptionGroup var steering: SteeringOptions

    func run() async throws {
        try await reporting {
            try await steering.steer(.cancel) { _, after in
                let inFlight =
                    after[.submitted] > 0 ? "; results of \(after[.submitted].grouped) are still awaited" : ""
                return "is cancelled: \(after[.cancelled].of("instance")) will not be sent\(inFlight)"
            }
        }
    }
}
