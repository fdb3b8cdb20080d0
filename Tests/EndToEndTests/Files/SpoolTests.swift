import Foundation
import TestSupport
import Testing

@Suite("Answers that the database does not take", .programs)
struct SpoolTests {
    /// A daemon whose two requests are answered after somebody else has taken the write lock.
    private struct Scene {
        static let grace = 4
        let koobatch: Koobatch
        let lock: WriteLock

        init(onUnknown: String) throws {
            koobatch = try Koobatch(settings: "\(Koobatch.eager)\nshutdown: {grace: \(Self.grace)}")
            try koobatch.start()
            // Until the API has accepted a request of this daemon, one goes at a time.
            _ = try koobatch.insert(instances: 1, prefix: "first")
            try koobatch.waitUntilFinished()
            try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":2}]}"#)
            _ = try koobatch.insert(instances: 64, columns: [("on_unknown", "'\(onUnknown)'")])
            try koobatch.wait(for: "SELECT count(*) = 2 FROM chunks WHERE state = 'submitting'")
            lock = try WriteLock(database: koobatch.shell.database)
            let open = try koobatch.shell.run("SELECT count(*) FROM attempts WHERE outcome IS NULL")
            try #require(open == "2", "the lock came too late")
        }

        /// Starts the next daemon and expects that everything was done once, and is known.
        func expectNothingIsLost() throws {
            try lock.release()
            try koobatch.simulator.faults("{}")
            try koobatch.start()
            try expectAllIsRecorded()
        }

        func expectAllIsRecorded() throws {
            try koobatch.waitUntilFinished()
            #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status WHERE id = 2") == "succeeded|64")
            #expect(
                try koobatch.shell.run("SELECT count(*), min(outcome), max(outcome) FROM attempts")
                    == "3|accepted|accepted"
            )
            #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
            try Truth(koobatch: koobatch).expectMappingsMatchJournal()
            try Truth(koobatch: koobatch).expectCountsAddUp()
            #expect(try koobatch.stop() == 0)
            #expect(!FileManager.default.fileExists(atPath: koobatch.spool))
        }
    }

    @Test(
        "are in a file and in the log when the daemon ends, in time, and the next start records them",
        arguments: ["hold", "retry"]
    )
    func stop(onUnknown: String) throws {
        let scene = try Scene(onUnknown: onUnknown)
        let koobatch = scene.koobatch
        let daemon = try #require(koobatch.daemon)
        let begin = ContinuousClock.now
        #expect(try koobatch.stop() == 0)
        let duration = ContinuousClock.now - begin
        #expect(duration < .seconds(Scene.grace + 1), "\(duration)")
        let sent = try koobatch.simulator.journal().dropFirst()
        let tasks = Set(sent.compactMap(\.task_id))
        let lines = try koobatch.spooledLines()
        #expect(lines.count == 2 && Set(lines.compactMap { $0["task_id"] as? String }) == tasks)
        let jobs = Set(sent.flatMap { $0.jobs.map { $0[1] } })
        #expect(Set(lines.flatMap { $0["job_ids"] as? [String] ?? [] }) == jobs)
        let mode = try FileManager.default.attributesOfItem(atPath: koobatch.spool)[.posixPermissions] as? Int
        #expect(mode == 0o660)
        let errors = try daemon.errors.split(separator: "\n").filter {
            $0.contains("An acceptance is not in the database")
        }
        #expect(errors.count == 2)
        for job in jobs { #expect(errors.contains { $0.contains(job) && $0.contains("error") }) }
        let doctor = try koobatch.run(["doctor"]).output
        #expect(doctor.contains("2 answers of the API wait in \(koobatch.spool)"), "\(doctor)")
        try scene.expectNothingIsLost()
    }

    @Test("survive the daemon when it is killed", arguments: ["hold", "retry"])
    func kill(onUnknown: String) throws {
        let scene = try Scene(onUnknown: onUnknown)
        try scene.koobatch.waitForSpool(lines: 2)
        scene.koobatch.crash()
        try scene.expectNothingIsLost()
    }

    @Test("are recorded when the database takes them, and the file goes")
    func recovery() throws {
        let scene = try Scene(onUnknown: "hold")
        try scene.koobatch.waitForSpool(lines: 2)
        try scene.lock.release()
        try scene.expectAllIsRecorded()
    }

    @Test("keep a stop with nothing in flight no longer than the grace")
    func idle() throws {
        let koobatch = try Koobatch(settings: "shutdown: {grace: 1}")
        try koobatch.start()
        let lock = try WriteLock(database: koobatch.shell.database)
        let begin = ContinuousClock.now
        #expect(try koobatch.stop() == 0)
        let duration = ContinuousClock.now - begin
        #expect(duration < .seconds(2), "\(duration)")
        try lock.release()
    }

    @Test("that a rule of the user refuses outlast a kill, and are recorded without a restart when it is gone")
    func foreignRule() throws {
        let koobatch = try Koobatch()
        try koobatch.shell.run("CREATE UNIQUE INDEX mine ON chunks (command_job_id) WHERE task_id IS NOT NULL;")
        try koobatch.start()
        _ = try koobatch.insert(instances: 64, columns: [("on_unknown", "'retry'")])
        try koobatch.waitForSpool(lines: 1)
        koobatch.crash()
        try koobatch.start()
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state = 'submitting'") == "1")
        try koobatch.shell.run("DROP INDEX mine;")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        try Truth(koobatch: koobatch).expectMappingsMatchJournal()
        #expect(try koobatch.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: koobatch.spool))
    }

    @Test("that fit no request are kept aside and told, and the others are taken in")
    func strangers() throws {
        let scene = try Scene(onUnknown: "hold")
        let koobatch = scene.koobatch
        #expect(try koobatch.stop() == 0)
        let text = try String(contentsOfFile: koobatch.spool, encoding: .utf8)
        let stranger = text.split(separator: "\n")[0].replacing(/"request_id":"[^"]*"/, with: #""request_id":"other""#)
        try (text + stranger + "\n" + text.prefix(100)).write(
            toFile: koobatch.spool,
            atomically: false,
            encoding: .utf8
        )
        try scene.lock.release()
        try koobatch.simulator.faults("{}")
        let daemon = try koobatch.start()
        for reason in ["the request is none of this database", "the line is cut or damaged"] {
            try daemon.waitUntilItSays(reason)
        }
        let told = try daemon.errors.split(separator: "\n").filter { $0.contains("cannot be taken in") }
        #expect(told.count == 2)
        #expect(told.contains { $0.contains("the request is none of this database") })
        #expect(told.contains { $0.contains("the line is cut or damaged") })
        let doctor = try koobatch.run(["doctor"])
        #expect(doctor.status == 1 && doctor.output.contains("2 answers of the API in \(koobatch.spool).rejected"))
        try scene.expectAllIsRecorded()
    }

    @Test("keep the daemon from starting where they cannot be read")
    func unreadable() throws {
        let koobatch = try Koobatch()
        try FileManager.default.createSymbolicLink(atPath: koobatch.spool, withDestinationPath: "/etc/hostname")
        let run = try koobatch.program(["run"])
        #expect(run.wait() == 1)
        #expect(try run.errors.contains("\(koobatch.spool) is not a regular file with one name"))
    }
}

extension Koobatch {
    /// Where answers wait that the database does not take.
    var spool: String { shell.database + ".spool" }

    /// The lines of the spool.
    ///
    /// - Parameter mayBeTorn: whether a loss of power may have left something that is no line.
    func spooledLines(mayBeTorn: Bool = false) throws -> [[String: Any]] {
        guard FileManager.default.fileExists(atPath: spool) else { return [] }
        return try Data(contentsOf: URL(fileURLWithPath: spool)).split(separator: UInt8(ascii: "\n")).compactMap {
            let line: [String: Any]? = try? JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
            if line == nil, !mayBeTorn { throw CocoaError(.fileReadCorruptFile) }
            return line
        }
    }

    /// Blocks until the spool has so many lines.
    func waitForSpool(lines count: Int, within limit: Duration = .seconds(60)) throws {
        try changes.wait(within: limit, else: "fewer than \(count) answers are spooled within \(limit)") {
            try spooledLines().count >= count
        }
    }
}
