/// Cuts lists of instances into chunks.
public enum Chunking {
    /// The most instances that any edition of the API's reference allows in one request.
    public static let largestSize = 100

    /// The chunks of a list in order: each of `size` instances but the last, which has what is left.
    ///
    /// - Precondition: `size` is at least 1.
    public static func chunks<Instances: RandomAccessCollection>(
        of instances: Instances,
        size: Int
    ) -> [Instances.SubSequence] {
        precondition(size >= 1, "a chunk holds at least one instance")
        var chunks: [Instances.SubSequence] = []
        chunks.reserveCapacity((instances.count + size - 1) / size)
        var rest = instances[...]
        while !rest.isEmpty {
            chunks.append(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return chunks
    }

    /// The two halves of a chunk that was refused because of some instance in it; the first is the larger.
    ///
    /// - Precondition: the chunk holds at least two instances.
    public static func halves<Instances: RandomAccessCollection>(
        of instances: Instances
    ) -> [Instances.SubSequence] {
        precondition(instances.count >= 2, "one instance cannot be halved")
        let half = (instances.count + 1) / 2
        return [instances.prefix(half), instances.dropFirst(half)]
    }
}
