import KoobatchCore
import Testing

@testable import KoobatchStore

@Suite("The lists of large jobs")
struct InstanceListsTests {
    private static let total = 1_000

    private func ids(of job: Int) -> [String] {
        (0..<Self.total).map { "j\(job)-\($0)" }
    }

    private func list(of job: Int) throws -> InstanceList {
        try InstanceList(JSONText.array(ids(of: job)))
    }

    @Test(
        "of jobs that take turns are read again only when a fair part of the room is cut",
        arguments: [(jobs: 1, reads: 1), (jobs: 2, reads: 2), (jobs: 3, reads: 5), (jobs: 12, reads: 13)]
    )
    func turns(jobs: Int, reads: Int) throws {
        // Room for two and a half of them.
        let lists = InstanceLists(capacity: try list(of: 0).size * 5 / 2, leastPart: 100)
        var cut = Array(repeating: [String](), count: jobs)
        var read = 0
        for first in stride(from: 0, to: Self.total, by: 8) {
            for job in 0..<jobs {
                let id = CommandJobID(rawValue: Int64(job))
                if !lists.reaches(id, from: first, count: 8) {
                    read += 1
                    lists.keep(try list(of: job), of: id, from: first, count: 8)
                }
                cut[job] += try #require(lists.chunks(of: id, from: first, count: 8, size: 4)).flatMap(\.list)
            }
        }
        for job in 0..<jobs { #expect(cut[job] == ids(of: job)) }
        #expect(read <= reads * jobs)
    }

    @Test("are kept as far as the next claim needs them, however little room there is")
    func needed() throws {
        let lists = InstanceLists(capacity: 10, leastPart: 10)
        for job in 0..<3 {
            lists.keep(try list(of: job), of: CommandJobID(rawValue: Int64(job)), from: 500, count: 100)
        }
        let last = CommandJobID(rawValue: 2)
        #expect(lists.chunks(of: last, from: 500, count: 100, size: 100)?.first?.list == Array(ids(of: 2)[500..<600]))
        #expect(lists.chunks(of: last, from: 500, count: 101, size: 100) == nil)
        #expect(lists.chunks(of: last, from: 499, count: 1, size: 1) == nil)
        #expect(lists.chunks(of: CommandJobID(rawValue: 0), from: 500, count: 1, size: 1) == nil)
    }

    @Test("that end before their time are cut to where they end")
    func damaged() throws {
        let lists = InstanceLists()
        let job = CommandJobID(rawValue: 1)
        lists.keep(try InstanceList(#"["a","b"]"#), of: job, from: 1, count: 10)
        #expect(lists.chunks(of: job, from: 1, count: 10, size: 10)?.map(\.list) == [["b"]])
    }
}
