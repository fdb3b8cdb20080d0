import KoobatchCore
import Testing

@Suite("Chunking")
struct ChunkingTests {
    @Test(
        "cuts a list into full chunks and a rest, in order",
        arguments: [
            (0, []), (1, [1]), (31, [31]), (32, [32]), (33, [32, 1]), (64, [32, 32]), (65, [32, 32, 1]),
            (1_000, Array(repeating: 32, count: 31) + [8]),
        ]
    )
    func chunks(_ count: Int, _ sizes: [Int]) {
        let chunks = Chunking.chunks(of: Array(0..<count), size: 32)
        #expect(chunks.map(\.count) == sizes)
        #expect(chunks.flatMap(\.self) == Array(0..<count))
    }

    @Test("takes any size of chunk", arguments: [1, 2, 31, 32, 33, 100])
    func size(_ size: Int) {
        let chunks = Chunking.chunks(of: Array(0..<100), size: size)
        #expect(chunks.count == (100 + size - 1) / size)
        #expect(chunks.dropLast().allSatisfy { $0.count == size })
        #expect(chunks.flatMap(\.self) == Array(0..<100))
    }

    @Test(
        "halves a chunk, the first half the larger",
        arguments: [(2, 1), (3, 2), (31, 16), (32, 16), (33, 17), (100, 50)]
    )
    func halves(_ count: Int, _ first: Int) {
        let halves = Chunking.halves(of: Array(0..<count))
        #expect(halves.map(\.count) == [first, count - first])
        #expect(halves.flatMap(\.self) == Array(0..<count))
    }

    @Test("comes from 32 to single instances in five halvings")
    func depth() {
        var chunks = [Array(0..<32)[...]]
        var rounds = 0
        while chunks.contains(where: { $0.count > 1 }) {
            chunks = chunks.flatMap { $0.count > 1 ? Chunking.halves(of: $0) : [$0] }
            rounds += 1
        }
        #expect(rounds == 5)
        #expect(chunks.flatMap(\.self) == Array(0..<32))
    }
}
