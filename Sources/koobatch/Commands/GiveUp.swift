import ArgumentParser
import KoobatchCore

/// `koobatch give-up`.
struct GiveUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "give-up",
        abstract: "Gives up chunks on hold; their instances stay unknown.",
        discussion: """
            When the last chunk of a job is settled the job finishes.

              koobatch why 7
              koobatch give-up 91 92
              koobatch give-up --job 7
            """
    )

    @OptionGroup var held: HeldChunkOptions

    func run() async throws {
        try await reporting { try await held.settle(as: .failed, fate: "given up, their results stay unknown") }
    }
}
