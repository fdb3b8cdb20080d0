public import ArgumentParser
public import KoobatchCore

extension CommandJobID: ExpressibleByArgument {
    /// Reads the id of a job as it is typed.
    public init?(argument: String) {
        guard let number = Int64(argument), number >= 1 else { return nil }
        self.init(rawValue: number)
    }
}

extension ChunkID: ExpressibleByArgument {
    /// Reads the id of a chunk as it is typed.
    public init?(argument: String) {
        guard let number = Int64(argument), number >= 1 else { return nil }
        self.init(rawValue: number)
    }
}
