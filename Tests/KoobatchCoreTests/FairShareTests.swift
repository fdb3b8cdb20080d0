import KoobatchCore
import TestSupport
import Testing

@Suite("Fair share")
struct FairShareTests {
    private static func claimants(_ rooms: [Int?]) -> [FairShare.Claimant] {
        rooms.enumerated().map { index, room in
            FairShare.Claimant(job: CommandJobID(rawValue: Int64(index + 1)), priority: 0, room: room)
        }
    }

    /// The places of every claimant, 0 for those that are left out.
    private static func places(_ places: Int, _ rooms: [Int?]) -> [Int] {
        let shares = FairShare.shares(of: places, among: claimants(rooms))
        let granted = Dictionary(shares.map { ($0.job.rawValue, $0.places) }, uniquingKeysWith: +)
        return rooms.indices.map { granted[Int64($0 + 1)] ?? 0 }
    }

    @Test(
        "serves the least recently served first and passes on what a claimant has no room for",
        arguments: [
            (0, [nil, nil], [0, 0]), (1, [nil, nil], [1, 0]), (3, [nil, nil], [2, 1]), (10, [nil], [10]),
            (7, [nil, nil, nil], [3, 2, 2]), (10, [1, nil], [1, 9]), (10, [nil, 2, 3], [5, 2, 3]),
            (10, [0, nil], [0, 10]),
            (10, [-2, nil], [0, 10]), (10, [2, 3], [2, 3]), (10, [], []),
        ] as [(Int, [Int?], [Int])]
    )
    func known(_ free: Int, _ rooms: [Int?], _ expected: [Int]) {
        #expect(Self.places(free, rooms) == expected)
    }

    @Test("keeps its properties for random claimants", arguments: 1...500 as ClosedRange<UInt64>)
    func properties(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let free = Int.random(in: 0...60, using: &generator)
        let rooms: [Int?] = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
            Bool.random(using: &generator) ? nil : .random(in: -2...20, using: &generator)
        }
        let shares = Self.places(free, rooms)
        let room = rooms.map { max($0 ?? free, 0) }
        #expect(shares.reduce(0, +) == min(free, room.reduce(0, +)), "seed \(seed): all places or all demand")
        #expect(zip(shares, room).allSatisfy { $0 <= $1 }, "seed \(seed): never more than room")
        // Those that room does not bind differ by one at most, the earlier ones having more; the bound have no more.
        let unbound = zip(shares, room).filter { $0 < $1 }.map(\.0)
        #expect((unbound.max() ?? 0) - (unbound.min() ?? 0) <= 1, "seed \(seed): shares differ by at most one")
        #expect(unbound == unbound.sorted(by: >), "seed \(seed): the least recently served first")
        let most = shares.max() ?? 0
        #expect(unbound.allSatisfy { $0 >= most - 1 }, "seed \(seed): nobody has less while another has more")
        #expect(
            FairShare.shares(of: free, among: Self.claimants(rooms)).allSatisfy { $0.places > 0 },
            "seed \(seed): claimants with nothing are left out"
        )
    }
}
