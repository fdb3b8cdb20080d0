import GRDB
import KoobatchCore
import KoobatchStore
import Testing

/// `serialize_instances`: one instance, one job at a time.
@Suite("Jobs that take turns on an instance", .database)
struct SerializeTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    private func insert(_ instances: [String], _ columns: KeyValuePairs<String, String> = ["serialize_instances": "1"])
        async throws
    {
        _ = try await user.insertJob(instances, columns)
    }

    /// Claims everything that is due and returns its instances by job.
    private mutating func claimed() async throws -> [Int64: Set<String>] {
        var all: [Int64: Set<String>] = [:]
        while case let claims = try await driver.claim(), !claims.isEmpty {
            for claim in claims { all[claim.job.rawValue, default: []].formUnion(claim.request.instances.list) }
            _ = try await driver.turn(claims.map { driver.accepted($0) })
        }
        return all
    }

    private mutating func finish(_ succeeded: @escaping @Sendable (String) -> Bool?) async throws {
        try await driver.pollAll(user, succeeded)
    }

    @Test("wait for the result on that instance only, in the order of their insertion")
    mutating func order() async throws {
        try await insert(["a", "b", "c"], [:])
        try await insert(["c", "b", "x"])
        try await insert(["b", "y"])
        #expect(try await claimed() == [1: ["a", "b", "c"], 2: ["x"], 3: ["y"]])
        #expect(
            try await user.rows("SELECT id, pending FROM job_status ORDER BY id") == [
                ["1", "0"], ["2", "2"], ["3", "1"],
            ]
        )
        #expect(try await Audit.complaints(user).isEmpty)

        try await finish { $0.hasSuffix("-c") ? true : nil }
        #expect(try await claimed() == [2: ["c"]])
        try await finish { $0.hasSuffix("-b") ? false : nil }
        #expect(try await claimed() == [2: ["b"]])
        try await finish { _ in true }
        #expect(try await claimed() == [3: ["b"]])
        try await finish { _ in true }
        #expect(
            try await user.rows("SELECT id, state FROM job_status ORDER BY id")
                == [["1", "partial"], ["2", "succeeded"], ["3", "succeeded"]]
        )
        #expect(try await user.row("SELECT sum(blocked_chunks), sum(waiting_chunks) FROM job_progress") == ["0", "0"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("do not wait when they did not ask to")
    mutating func notAsked() async throws {
        try await insert(["a"])
        try await insert(["a"], [:])
        #expect(try await claimed() == [1: ["a"], 2: ["a"]])
    }

    @Test("wait for a job of a higher priority, and not for one of a lower", arguments: [(5, true), (-5, false)])
    mutating func priority(_ priority: Int, _ waits: Bool) async throws {
        try await insert(["a"], ["priority": "\(priority)"])
        try await insert(["a"])
        #expect(try await claimed() == (waits ? [1: ["a"]] : [1: ["a"], 2: ["a"]]))
    }

    @Test(
        "go on when what they wait for ends another way",
        arguments: [
            "UPDATE command_jobs SET state = 'cancelled' WHERE id = 1",
            "UPDATE command_jobs SET expires_at = '2021-01-01', state = 'expired' WHERE id = 1",
        ]
    )
    mutating func stopped(_ statement: String) async throws {
        for isHeldBack in [false, true] {
            try await insert(["a", "b"], isHeldBack ? ["state": "'paused'"] : ["run_at": "'2019-01-01'"])
            try await insert(["a"])
            try await user.user(statement.replacing("id = 1", with: "id = (SELECT max(id) - 1 FROM command_jobs)"))
            let last = try #require(try await user.row("SELECT max(id) FROM command_jobs")[0].flatMap(Int64.init))
            #expect(try await claimed() == [last: ["a"]])
            try await finish { _ in true }
        }
    }

    @Test("wait for a chunk on hold until a user settles it")
    mutating func held() async throws {
        try await insert(["a"], ["on_unknown": "'hold'"])
        let claims = try await driver.claim()
        try await driver.record(driver.lost(claims[0]))
        try await insert(["a"])
        #expect(try await claimed().isEmpty)
        try await user.user("UPDATE chunks SET state = 'failed' WHERE state = 'unknown'")
        #expect(try await claimed() == [2: ["a"]])
    }

    @Test("wait through a split and a repetition")
    mutating func split() async throws {
        try await insert(["a", "b"], [:])
        let claims = try await driver.claim()
        try await driver.record(driver.refused(claims[0]))
        try await insert(["a", "b"])
        #expect(try await claimed() == [1: ["a", "b"]])
        try await finish { _ in true }
        #expect(try await claimed() == [2: ["a", "b"]])
    }

    @Test("keep to it when they are cancelled and run again")
    mutating func cancelled() async throws {
        try await insert(["a"], [:])
        try await insert(["a", "z"])
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2")
        #expect(try await user.row("SELECT cancelled, total FROM job_status WHERE id = 2") == ["2", "2"])
        #expect(try await Audit.complaints(user).isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 2")
        driver.now = driver.now + .seconds(1)
        #expect(try await claimed() == [1: ["a"], 2: ["z"]])
        #expect(try await Audit.complaints(user).isEmpty)
        // Also what waits in a chunk already.
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2")
        try await finish { $0.hasSuffix("-z") ? true : nil }
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 2")
        #expect(try await claimed().isEmpty)
        #expect(try await Audit.complaints(user).isEmpty)
        try await finish { _ in true }
        #expect(try await claimed() == [2: ["a"]])
    }

    @Test("leave nothing behind when they are deleted")
    mutating func deleted() async throws {
        try await insert(["a"], [:])
        try await insert(["a"])
        _ = try await claimed()
        #expect(try await user.row("SELECT count(*) FROM chunks WHERE blocked = 1") == ["1"])
        try await user.user("UPDATE command_jobs SET state = 'cancelled'")
        try await finish { _ in true }
        try await user.user("DELETE FROM command_jobs")
        #expect(try await user.row("SELECT count(*) FROM chunks") == ["0"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("do no work in the insert of a user, and wait all the same")
    mutating func inserts() async throws {
        try await insert(["a"], [:])
        try await insert(["a", "b"])
        #expect(
            try await user.row(
                "SELECT planned, waiting_chunks, blocked_chunks FROM job_progress WHERE command_job_id = 2"
            )
                == ["0", "0", "0"]
        )
        #expect(try await claimed() == [1: ["a"], 2: ["b"]])
    }

    @Test("wait after a restart of the daemon as before it")
    mutating func restarted() async throws {
        try await insert(["a", "b"], [:])
        try await insert(["a", "c"])
        #expect(try await claimed() == [1: ["a", "b"], 2: ["c"]])
        let now = driver.now
        driver = try StoreDriver(TestDatabase.current())
        driver.now = now
        _ = try await driver.store.recover(rules: driver.rules, at: now, generator: SystemRandomNumberGenerator())
        #expect(try await claimed().isEmpty)
        try await finish { _ in true }
        #expect(try await claimed() == [2: ["a"]])
    }

    @Test("keep many instances apart in slices")
    mutating func many() async throws {
        let instances = (0..<1_000).map { "i\($0)" }
        try await insert(instances, [:])
        try await insert(instances.reversed() + ["z"])
        #expect(try await claimed().mapValues(\.count) == [1: 1_000, 2: 1])
        try await finish { $0.hasSuffix("7") ? true : nil }
        #expect(try await claimed().mapValues(\.count) == [2: 100])
        try await finish { _ in true }
        #expect(try await claimed().mapValues(\.count) == [2: 900])
        try await finish { _ in true }
        #expect(try await user.rows("SELECT DISTINCT state FROM job_status") == [["succeeded"]])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("cannot be told so after the insert")
    mutating func fixed() async throws {
        try await insert(["a"])
        await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE command_jobs SET serialize_instances = 0")
        }
    }
}
