import Foundation
import TestSupport

/// Other ways to submit chunks and keep the answers, for comparison.
///
/// What each does is told in its script. Python runs in an environment of its own that `Tests/Peers/setup.sh` makes.
struct Peers {
    let scripts: URL
    let environment: URL

    /// A program that submits chunks of 32 to a simulator.
    struct Peer {
        let name: String
        /// Why it cannot be had; nil when it can.
        let missing: String?
        /// Submits so many chunks, and returns how many answers are in its database afterwards; nil: it keeps none.
        let submit: (_ chunks: Int, _ bed: TestBed) throws -> Int?
    }

    var asyncio: Peer {
        python("asyncio script", modules: ["aiohttp", "uvloop"]) { chunks, bed, database in
            [try script("asyncio_client.py"), bed.endpoint, bed.tokenFile, database, "\(chunks)"]
        }
    }

    var huey: Peer {
        python("SqliteHuey", modules: ["huey"]) { chunks, bed, database in
            [try script("huey_client.py"), bed.endpoint, bed.tokenFile, database, "\(chunks)"]
        }
    }

    var xargs: Peer {
        Peer(name: "xargs curl | sqlite3", missing: lacking(["xargs", "curl", "sqlite3"])) { chunks, bed in
            let database = Self.database(in: bed)
            try bed.run([script("xargs_client.sh"), bed.endpoint, bed.tokenFile, database, "\(chunks)"])
            return try Self.stored(in: database)
        }
    }

    /// Keeps nothing, and runs for a time rather than to an end.
    func wrk(seconds: Int) -> Peer {
        Peer(name: "wrk (keeps nothing)", missing: lacking(["wrk"])) { _, bed in
            let target = bed.endpoint + "/v1/instances/async-command"
            try bed.run(["wrk", "-t1", "-c32", "-d\(seconds)s", "-s", script("wrk.lua"), target])
            return nil
        }
    }

    private func python(
        _ name: String,
        modules: [String],
        _ arguments: @escaping (_ chunks: Int, _ bed: TestBed, _ database: String) throws -> [String]
    ) -> Peer {
        let python = environment.appending(path: "bin/python").path
        return Peer(name: name, missing: lacking(modules: modules, python)) { chunks, bed in
            let database = Self.database(in: bed)
            try bed.run([python] + arguments(chunks, bed, database))
            return try Self.stored(in: database)
        }
    }

    private func script(_ name: String) throws -> String {
        let path = scripts.appending(path: name).path
        guard FileManager.default.fileExists(atPath: path) else { throw Failed(description: "\(path) is missing") }
        return path
    }

    private func lacking(_ programs: [String]) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        let absent = programs.filter { name in
            !path.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
        }
        return absent.isEmpty ? nil : "missing: \(absent.joined(separator: ", "))"
    }

    private func lacking(modules: [String], _ python: String) -> String? {
        do {
            let outcome = try Command.run([python, "-c", "import \(modules.joined(separator: ", "))"])
            return outcome.status == 0 ? nil : "missing: \(outcome.errors.split(separator: "\n").last ?? "modules")"
        } catch {
            return "missing: \(error)"
        }
    }

    /// A file that does not exist yet.
    private static func database(in bed: TestBed) -> String {
        bed.folder.appending(path: "peer-\(UUID().uuidString).db").path
    }

    /// Chunks whose mappings of all 32 instances are in a peer's database.
    private static func stored(in database: String) throws -> Int {
        let query = "SELECT count(*) FROM answers WHERE task_id <> '' AND json_array_length(jobs) = 32;"
        let outcome = try Command.run(["sqlite3", "-batch", database], input: query)
        guard let count = Int(outcome.output.trimmingCharacters(in: .newlines)) else {
            throw Failed(description: "\(database): \(outcome.errors)")
        }
        return count
    }
}

extension TestBed {
    /// Runs a program to its end.
    @discardableResult
    func run(_ arguments: [String]) throws -> String {
        let outcome = try Command.run(arguments)
        guard outcome.status == 0 else {
            throw Failed(description: "\(arguments[0]) ended with \(outcome.status): \(outcome.errors.suffix(2_000))")
        }
        return outcome.output
    }
}
