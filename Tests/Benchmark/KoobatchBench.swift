import ArgumentParser
import Foundation

/// Figures of the real programs, all in one run, so that they can be compared with each other on any machine.
@main
struct KoobatchBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "koobatch-bench",
        abstract: "Measures the built koobatch against the built koophone-sim.",
        discussion: "Uses the programs beside itself; build them in release configuration first.",
        subcommands: [
            Table.self, BareClient.self, Control.self, LimitsCommand.self, OutageCommand.self, PollingCommand.self,
        ],
        defaultSubcommand: Table.self
    )
}

/// The whole table, or some of its measures.
struct Table: ParsableCommand {
    static let measures: [any Measure.Type] = [
        SchemaSize.self, Throughput.self, ChunkCost.self, LockedOut.self, FirstRequest.self, MillionInsert.self,
        UrgentJob.self, MillionJob.self, SeveralJobs.self, RestartAfterKill.self, HistoryCost.self, IdleCost.self,
    ]

    static let configuration = CommandConfiguration(
        abstract: "The table of figures (default).",
        discussion: "MEASURES: "
            + measures.map { "\($0.name) (\($0.abstract))" }.joined(separator: ", ") + "."
    )

    @Argument(help: "What to measure; everything when left out.")
    var measures: [String] = []

    @Option(help: "How often each figure is measured.")
    var repetitions = 5

    @Flag(help: "Short runs of small jobs: shows that everything works, not what it is worth.")
    var quick = false

    @Option(help: "Write the figures as JSON to this file too.", completion: .file())
    var json: String?

    @Option(help: "Folder of koobatch, koophone-sim and koobatch-bench.", completion: .directory)
    var programs = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path

    @Option(help: "Folder of an earlier build's koobatch and koobatch-bench.", completion: .directory)
    var baseline: String?

    @Option(help: "Folder of the peers' scripts.", completion: .directory)
    var peers = "Tests/Peers"

    @Option(help: "Python environment of the peers.", completion: .directory)
    var peerEnvironment = ".build/peers"

    func validate() throws {
        guard repetitions >= 1 else { throw ValidationError("--repetitions must be at least 1") }
        for name in measures where !Self.measures.contains(where: { $0.name == name }) {
            throw ValidationError("no measure is called \(name)")
        }
    }

    func run() throws {
        let setup = Setup(
            programs: URL(filePath: programs),
            baseline: baseline.map { URL(filePath: $0) },
            options: Setup.Options(repetitions: repetitions, isQuick: quick),
            peers: Peers(scripts: URL(filePath: peers), environment: URL(filePath: peerEnvironment))
        )
        var table = FigureTable(machine: try Machine(programs: setup.programs), options: setup.options)
        for measure in Self.measures where measures.isEmpty || measures.contains(measure.name) {
            setup.progress("\(measure.name): \(measure.abstract)")
            do {
                let figures = try measure.figures(setup)
                // Bounds are for jobs of full size.
                table.figures += quick ? figures.map(\.withoutTarget) : figures
            } catch {
                table.figures.append(Figure(missing: measure.name, because: "failed: \(error)"))
                setup.progress("failed: \(error)")
            }
            // After each measure, so that a run that is interrupted leaves what it has.
            if let json { try table.write(to: json) }
        }
        print(table.text)
    }
}
