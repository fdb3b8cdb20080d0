import Foundation
import TestSupport

/// What the database says at one moment: one transaction of a shell.
struct SoakSnapshot {
    /// A row of `job_status` that has the label.
    struct Job: Decodable {
        let id: Int
        let name: String
        let state: String
        let total: Int
        /// By state, in the order of the columns.
        let counts: [String: Int]

        init(from decoder: any Decoder) throws {
            var row = try decoder.unkeyedContainer()
            id = try row.decode(Int.self)
            name = try row.decode(String.self)
            state = try row.decode(String.self)
            total = try row.decode(Int.self)
            counts = Dictionary(
                uniqueKeysWithValues: try SoakSnapshot.states.map { ($0, try row.decode(Int.self)) }.filter {
                    $0.1 != 0
                }
            )
        }
    }

    static let states = ["pending", "submitted", "succeeded", "failed", "unknown", "cancelled", "rejected"]

    let jobs: [Job]
    /// Of each job the instances, each with its state.
    let instances: [Int: [(name: String, state: String)]]
    /// The outcome of each request; empty while its answer is awaited.
    let outcomes: [String: String]
    /// Task, instance and job of every acceptance.
    let mappings: Set<[String]>

    init(_ shell: SQLiteShell) throws {
        let printed = try shell.run(
            """
            BEGIN;
            SELECT json_group_array(json_array(s.id, coalesce(s.label, ''), s.state, s.total,
                                               \(Self.states.map { "s.\($0)" }.joined(separator: ", "))))
              FROM job_status AS s;
            SELECT json_group_array(json_array(command_job_id, instance_id, state)) FROM instance_status;
            SELECT json_group_array(json_array(request_id, coalesce(outcome, ''))) FROM attempts;
            SELECT json_group_array(json_array(task_id, instance_id, job_id)) FROM task_map;
            COMMIT;
            """
        )
        let lines = printed.split(separator: "\n").map { Data($0.utf8) }
        let decoder = JSONDecoder()
        jobs = try decoder.decode([Job].self, from: lines[0])
        instances = Dictionary(
            grouping: try decoder.decode([Instance].self, from: lines[1]),
            by: \.job
        ).mapValues { $0.map { ($0.name, $0.state) } }
        outcomes = Dictionary(
            uniqueKeysWithValues: try decoder.decode([[String]].self, from: lines[2]).map { ($0[0], $0[1]) }
        )
        mappings = Set(try decoder.decode([[String]].self, from: lines[3]))
    }

    private struct Instance: Decodable {
        let job: Int
        let name: String
        let state: String

        init(from decoder: any Decoder) throws {
            var row = try decoder.unkeyedContainer()
            job = try row.decode(Int.self)
            name = try row.decode(String.self)
            state = try row.decode(String.self)
        }
    }
}
