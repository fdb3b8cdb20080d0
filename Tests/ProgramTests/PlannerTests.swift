import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@testable import KoobatchEngine

/// Many large jobs at once, whose lists are parsed by turns.
@Suite("Planner")
struct PlannerTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    private let folder: TemporaryDirectory
    private let shell: SQLiteShell
    private let log = LogLines()
    private let planner: Planner

    init() throws {
        folder = try TemporaryDirectory()
        let path = folder.path("koobatch.db")
        try Store.migrate(path: path)
        shell = SQLiteShell(database: path)
        planner = Planner(
            chunkSize: { 32 },
            store: try Store(path: path),
            inboxes: Inboxes(),
            time: EngineTime(wallClock: { Self.now }, pause: { _ in }),
            logger: log.logger
        )
    }

    private func insert(instances: Int, prefix: String) throws {
        _ = try shell.rows(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < \(instances))
            INSERT INTO command_jobs (command, instance_ids)
            SELECT 'id', json_group_array('\(prefix)-' || i) FROM n;
            """
        )
    }

    private var errors: [String] { log.lines.filter { $0.hasPrefix("error") } }

    @Test(
        "plans every instance of every job once and complains of none",
        arguments: [
            (jobs: 3, instances: 12_000...12_000, seed: 1),
            (jobs: 2, instances: 8_000...50_000, seed: 2),
            (jobs: 7, instances: 8_000...50_000, seed: 3),
            (jobs: 20, instances: 8_000...50_000, seed: 4),
        ] as [(jobs: Int, instances: ClosedRange<Int>, seed: UInt64)]
    )
    func manyLarge(jobs: Int, instances: ClosedRange<Int>, seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        for job in 0..<jobs {
            try insert(instances: Int.random(in: instances, using: &generator), prefix: "j\(job)")
        }
        #expect(try await planner.plan([]).isEmpty)
        #expect(errors.isEmpty, "seed \(seed)")
        let unplanned = try shell.rows(
            """
            SELECT p.command_job_id, p.total,
                   (SELECT count(DISTINCT e.value)
                      FROM chunks AS c
                      JOIN json_each(c.instance_ids) AS e
                     WHERE c.command_job_id = p.command_job_id) AS chunked
              FROM job_progress AS p
             WHERE chunked <> p.total OR p.planned <> p.total;
            """
        )
        #expect(unplanned.isEmpty, "seed \(seed)")
    }

    @Test("names a list that was damaged, once, and plans the jobs behind it")
    func damaged() async throws {
        try insert(instances: 20_000, prefix: "a")
        try insert(instances: 100, prefix: "b")
        _ = try shell.rows(
            """
            PRAGMA writable_schema = ON;
            DELETE FROM sqlite_schema WHERE type = 'trigger';
            PRAGMA writable_schema = RESET;
            UPDATE command_jobs SET instance_ids = '["a"]' WHERE id = 1;
            """
        )
        var reported = try await planner.plan([])
        reported = try await planner.plan(reported)
        #expect(reported.map(\.id.rawValue) == [1])
        #expect(errors.count == 1)
        #expect(errors.allSatisfy { $0.contains("instance_ids has 1 instances, and had 20000") }, "\(errors)")
        #expect(try shell.rows("SELECT planned FROM job_progress ORDER BY command_job_id;") == [["0"], ["100"]])
    }
}
