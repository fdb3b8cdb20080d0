import ArgumentParser
import KoobatchCore
import KoobatchStore

/// The arguments of the subcommands that settle chunks on hold, and how they go about it.
struct HeldChunkOptions: ParsableArguments {
    /// How many chunks are settled at once: the write lock is held for a few milliseconds.
    private static let slice = 100

    @Argument(help: "The ids of chunks on hold; koobatch why shows them.")
    var chunks: [ChunkID] = []

    @Option(help: ArgumentHelp("All chunks of this job that are on hold.", valueName: "id"))
    var job: CommandJobID?

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if chunks.isEmpty == (job == nil) { throw ValidationError("Give the ids of chunks, or --job") }
    }

    /// Settles the chunks and says what becomes of them.
    func settle(as state: ChunkState, fate: String) async throws {
        let client = try common.client(for: .writing)
        var seen: Set<ChunkID> = []
        let all = try job.map(client.heldChunks) ?? chunks.filter { seen.insert($0).inserted }
        var instances = 0
        for start in stride(from: 0, to: all.count, by: Self.slice) {
            instances += try client.settle(Array(all[start..<min(start + Self.slice, all.count)]), as: state)
        }
        let printer = StandardOutput()
        if output.json {
            try printer.line(
                JSONValue.object([("chunks", .count(all.count)), ("instances", .count(instances))]).line
            )
        } else if all.isEmpty {
            try printer.line("no chunk of the job is on hold")
        } else {
            try printer.line("\(all.count.of("chunk")) with \(instances.of("instance")): \(fate)")
        }
        try printer.flush()
    }
}
