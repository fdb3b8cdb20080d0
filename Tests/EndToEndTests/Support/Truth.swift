import Foundation
import TestSupport
import Testing

/// Holds the database against the simulator's journal, which is the truth.
struct Truth {
    let koobatch: Koobatch

    /// Every mapping in the database is one that the simulator made, and no mapping that it answered is missing.
    ///
    /// - Parameter answersMayBeLost: whether the simulator may have executed what nobody could hear of.
    func expectMappingsMatchJournal(answersMayBeLost: Bool = false) throws {
        let made = Set(try koobatch.simulator.journal().filter(\.executed).flatMap(\.mappings))
        let stored = try koobatch.shell.mappings()
        #expect(stored.subtracting(made).isEmpty, "mappings that the simulator never made")
        if !answersMayBeLost { #expect(made.subtracting(stored).isEmpty, "mappings that were lost") }
    }

    /// Every request that reached the simulator has its row in `attempts`.
    func expectEveryRequestIsAnAttempt() throws {
        let sent = try koobatch.simulator.journal().map(\.request_id)
        #expect(Set(sent).count == sent.count, "a request id was used twice")
        let attempts = Set(try koobatch.shell.rows("SELECT request_id FROM attempts").map { $0[0] })
        #expect(Set(sent).subtracting(attempts).isEmpty, "requests without an attempts row")
    }

    /// An instance was given the command again only after an attempt for it whose outcome was `unknown`.
    func expectRepetitionsOnlyAfterUnknown() throws {
        let outcomes = try koobatch.shell.outcomes()
        for (instance, earlier) in Self.repetitions(in: try koobatch.simulator.journal()) {
            #expect(outcomes[earlier] == "unknown", "\(instance) was executed twice, first by \(earlier)")
        }
    }

    /// The instances that were given the command again, each time with the request before.
    static func repetitions(
        in journal: some Sequence<SimulatorProcess.Entry>
    ) -> [(instance: String, earlier: String)] {
        var last: [String: String] = [:]
        return journal.filter(\.executed).flatMap { entry in
            entry.instance_ids.compactMap { instance in
                last.updateValue(entry.request_id, forKey: instance).map { (instance, $0) }
            }
        }
    }

    /// The counts of every job add up, and agree with its instances.
    func expectCountsAddUp() throws {
        let sums = try koobatch.shell.rows(
            """
            SELECT id
              FROM job_status
             WHERE pending + submitted + succeeded + failed + unknown + cancelled + rejected <> total
                OR pending < 0
            """
        )
        #expect(sums.isEmpty)
        let differing = try koobatch.shell.rows(
            """
            SELECT s.id, s.total, count(*)
              FROM job_status AS s
              JOIN instance_status AS i ON i.command_job_id = s.id
             GROUP BY s.id
            HAVING count(*) <> s.total
                OR count(DISTINCT i.instance_id) <> s.total
                OR sum(i.state = 'pending') <> s.pending
                OR sum(i.state = 'submitted') <> s.submitted
                OR sum(i.state = 'succeeded') <> s.succeeded
                OR sum(i.state = 'failed') <> s.failed
                OR sum(i.state = 'unknown') <> s.unknown
                OR sum(i.state = 'cancelled') <> s.cancelled
                OR sum(i.state = 'rejected') <> s.rejected
            """
        )
        #expect(differing.isEmpty)
    }

    /// SQLite finds nothing wrong with the file.
    func expectIntegrity() throws {
        #expect(try koobatch.shell.run("PRAGMA integrity_check; PRAGMA foreign_key_check;") == "ok")
    }
}

extension SQLiteShell {
    /// The outcome of each request; empty while its answer is awaited.
    func outcomes() throws -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: try rows("SELECT request_id, outcome FROM attempts").map { ($0[0], $0[1]) }
        )
    }

    /// Task, instance and job of every acceptance.
    func mappings() throws -> Set<[String]> {
        Set(try rows("SELECT task_id, instance_id, job_id FROM task_map"))
    }
}
