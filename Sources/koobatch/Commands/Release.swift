import ArgumentParser
import KoobatchCore

/// `koobatch release`.
struct Release: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends chunks on hold again.",
        discussion: """
            A chunk of a job with on_unknown hold waits for an operator when a request was sent \
            and its answer lost: nobody knows whether its instances got the command. \
            Released, they get it, perhaps for the second time.

              koobatch why 7
              koobatch release 91 92
              koobatch release --job 7
            """
    )

    @OptionGroup var held: HeldChunkOptions

    func run() async throws {
        try await reporting { try await held.settle(as: .pending, fate: "sent again") }
    }
}
