import Foundation
import GRDB
import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchStore

@Suite("The spool of answers", .database)
struct AnswerSpoolTests {
    private let database: TestDatabase
    private let observer: DatabaseQueue

    init() throws {
        database = try TestDatabase.current()
        observer = try database.observer()
    }

    private func takeIn(_ driver: StoreDriver) async throws -> SpoolIntake {
        try await driver.store.takeIn(rules: driver.rules, at: driver.now, generator: SeededGenerator(seed: 1))
    }

    /// A daemon that has sent the only chunk of a job.
    private func sent(_ instances: [String] = ["a", "b", "c"]) async throws -> (StoreDriver, ClaimedChunk) {
        _ = try await observer.insertJob(instances)
        var driver = try StoreDriver(database)
        let claim = try #require(try await driver.claim().first)
        return (driver, claim)
    }

    @Test("gives back an acceptance whole, whatever its ids are and with the instances that it leaves out")
    func acceptance() async throws {
        let (driver, claim) = try await sent()
        let answer = AttemptResult(
            claim: claim,
            result: .success(SubmitResponse(taskID: "t\"1", jobIDs: #"["j\\1",null,"ü/\"\n"]"#, missing: [1])),
            finishedAt: driver.now
        )
        try await driver.store.spool.append([answer])
        let next = try StoreDriver(database)
        let intake = try await takeIn(next)
        #expect(intake.recorded.map(\.claim.attempt) == [claim.attempt])
        #expect(intake.kept.isEmpty && intake.rejected.isEmpty)
        #expect(
            try await observer.row("SELECT state, task_id, submitted, unknown FROM chunks") == [
                "submitted", "t\"1", "2", "1",
            ]
        )
        let rows = try await observer.rows("SELECT instance_id, job_id FROM task_map")
        #expect(rows == [["a", "j\\1"], ["c", "ü/\"\n"]])
        #expect(!FileManager.default.fileExists(atPath: next.store.spool.path))
        #expect(try await next.store.recover(rules: next.rules, at: next.now, generator: SeededGenerator(seed: 1)) == 0)
    }

    @Test("may be taken in twice, and after the answers were recorded")
    func repetition() async throws {
        var (driver, claim) = try await sent()
        try await driver.store.spool.append([driver.accepted(claim)])
        try await driver.store.spool.append([driver.accepted(claim)])
        let copy = try String(contentsOfFile: driver.store.spool.path, encoding: .utf8)
        #expect(try await takeIn(driver).recorded.count == 1)
        let before = try await observer.rows("SELECT * FROM chunks")
        try copy.write(toFile: driver.store.spool.path, atomically: false, encoding: .utf8)
        let again = try await takeIn(driver)
        #expect(again.recorded.isEmpty && again.rejected.isEmpty)
        #expect(try await observer.rows("SELECT * FROM chunks") == before)
        #expect(try await driver.record(driver.accepted(claim)) == [nil])
    }

    @Test(
        "gives back failures as they were",
        arguments: [
            ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1000", message: "no"),
            ServiceFailure(.throttled, httpStatus: 429, errorCode: "C", message: "m", retryAfter: .seconds(3)),
            ServiceFailure(.refused, httpStatus: 502, errorCode: "C", message: "m", endpointFault: .certain),
            ServiceFailure(.unknown, errorCode: ServiceFailure.Code.timeout, message: "no answer"),
        ]
    )
    func failure(failure: ServiceFailure) async throws {
        let (driver, claim) = try await sent()
        try await driver.store.spool.append([driver.failed(claim, failure)])
        let line = try #require(try driver.store.spool.lines().first)
        #expect(try SpooledAnswer(line: line).result() == .failure(failure))
        #expect(try await takeIn(driver).recorded.count == 1)
        let expected = [failure.outcome.rawValue, failure.errorCode]
        #expect(try await observer.row("SELECT outcome, error_code FROM attempts") == expected)
        #expect(try await observer.rows("SELECT 1 FROM chunks WHERE state = 'submitting'").isEmpty)
    }

    @Test("keeps lines aside that are no answer to a request which awaits one", arguments: Damage.allCases)
    func rejected(damage: Damage) async throws {
        let (driver, claim) = try await sent()
        let spool = driver.store.spool
        try await spool.append([driver.accepted(claim)])
        let line = try #require(try spool.lines().first)
        if damage == .recovered {
            try FileManager.default.removeItem(atPath: spool.path)
            _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: SeededGenerator(seed: 1))
        }
        try damage.applied(to: line).write(toFile: spool.path, atomically: false, encoding: .utf8)
        let intake = try await takeIn(driver)
        #expect(intake.recorded.isEmpty && intake.kept.isEmpty)
        #expect(intake.rejected.map(\.reason) == [damage.reason])
        #expect(try spool.rejectedLines() == intake.rejected.map(\.line))
        #expect(try spool.lines().isEmpty)
        #expect(try await observer.rows("SELECT 1 FROM chunks WHERE task_id IS NOT NULL").isEmpty)
    }

    enum Damage: String, CaseIterable {
        case cut, request, instances, count, recovered, twice

        func applied(to line: String) -> String {
            switch self {
            case .cut: String(line.prefix(line.count - 1))
            case .request: line.replacing(/"request_id":"[^"]*"/, with: #""request_id":"1""#)
            case .instances: line.replacing(#"["a","b","c"]"#, with: #"["a","b","x"]"#)
            case .count: line.replacing(#"["a","b","c"]"#, with: #"["a","b"]"#)
            case .twice: line.replacing(#/job-(\d+)-b/#) { "job-\($0.1)-a" }
            case .recovered: line
            }
        }

        var reason: String {
            switch self {
            case .cut, .count, .twice: "the line is cut or damaged"
            case .request: "the request is none of this database, or was deleted"
            case .instances: "the request is one of this database for other instances"
            case .recovered: "the request was recorded as unknown meanwhile, chunk 1"
            }
        }
    }

    @Test("keeps what rules of a user refuse, and its chunk is not recovered")
    func refused() async throws {
        try await observer.user("CREATE UNIQUE INDEX mine ON chunks (command_job_id) WHERE task_id IS NOT NULL")
        _ = try await observer.insertJob(["a", "b"])
        var driver = try StoreDriver(database)
        driver.chunkSize = 1
        let claims = try await driver.claim()
        try await driver.record(driver.accepted(claims[0]))
        let claim = claims[1]
        try await driver.store.spool.append([driver.accepted(claim)])
        let intake = try await takeIn(driver)
        #expect(intake.kept.map(\.claim.attempt) == [claim.attempt] && intake.recorded.isEmpty)
        #expect(try driver.store.spool.lines().count == 1)
        let recovered = try await driver.store.recover(
            rules: driver.rules,
            at: driver.now,
            generator: SeededGenerator(seed: 1)
        )
        #expect(recovered == 0)
        #expect(try await observer.rows("SELECT state FROM chunks") == [["submitted"], ["submitting"]])
        try await observer.user("DROP INDEX mine")
        #expect(try await takeIn(driver).recorded.count == 1)
    }

    @Test("goes on after a cut line, and is for the group of the database")
    func append() async throws {
        let (driver, claim) = try await sent()
        let spool = driver.store.spool
        #expect(spool.path == database.path + ".spool")
        try "{\"cut".write(toFile: spool.path, atomically: false, encoding: .utf8)
        try await spool.append([driver.accepted(claim)])
        #expect(try spool.lines().count == 2)
        let intake = try await takeIn(driver)
        #expect(intake.recorded.count == 1 && intake.rejected.map(\.line) == ["{\"cut"])
        try await spool.append([driver.accepted(claim)])
        let mode = try FileManager.default.attributesOfItem(atPath: spool.path)[.posixPermissions] as? Int
        #expect(mode == 0o660)
    }

    @Test("follows no link, and waits for no pipe", arguments: ["symbolic", "hard", "pipe"])
    func links(kind: String) async throws {
        let (driver, claim) = try await sent()
        let spool = driver.store.spool
        let target = database.file("target")
        try "precious".write(toFile: target, atomically: false, encoding: .utf8)
        switch kind {
        case "symbolic": try FileManager.default.createSymbolicLink(atPath: spool.path, withDestinationPath: target)
        case "hard": try FileManager.default.linkItem(atPath: target, toPath: spool.path)
        default: try #require(mkfifo(spool.path, 0o600) == 0)
        }
        await #expect(throws: (any Error).self) { try await spool.append([driver.accepted(claim)]) }
        await #expect(throws: StoreError.self) { try await takeIn(driver) }
        #expect(try String(contentsOfFile: target, encoding: .utf8) == "precious")
    }
}
