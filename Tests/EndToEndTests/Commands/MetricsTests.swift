import Foundation
import TestSupport
import Testing

@Suite("Metrics of the program", .programs)
struct MetricsTests {
    private let koobatch: Koobatch

    init() throws {
        koobatch = try Koobatch()
    }

    private var file: String { koobatch.folder.appending(path: "koobatch.prom").path }
    private var socket: String { koobatch.folder.appending(path: "metrics.sock").path }

    /// The samples of a text by name and labels; every line must be of the format.
    private func samples(_ text: String) throws -> [String: Double] {
        var samples: [String: Double] = [:]
        var typed: Set<Substring> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let name = line.split(separator: " ")[2]
                #expect(typed.insert(name).inserted, "\(name) twice")
            } else if !line.hasPrefix("# HELP ") {
                let match = try #require(line.wholeMatch(of: /([a-z_]+(?:\{.*\})?) (\S+)/), "\(line)")
                let value = try #require(match.2 == "+Inf" ? .infinity : Double(match.2))
                #expect(samples.updateValue(value, forKey: String(match.1)) == nil, "\(line)")
            }
        }
        return samples
    }

    private func command() throws -> [String: Double] {
        let program = try koobatch.program(["metrics"])
        #expect(program.wait() == 0)
        return try samples(program.output)
    }

    private func get(_ path: String) throws -> String {
        let outcome = try Command.run([
            "curl", "--silent", "--show-error", "--unix-socket", socket, "http://localhost\(path)",
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
    }

    @Test("without a daemon they tell of the database alone")
    func alone() throws {
        _ = try koobatch.insert(instances: 40)
        let samples = try command()
        #expect(samples["koobatch_daemon_up"] == 0)
        #expect(samples[#"koobatch_jobs{state="queued"}"#] == 1)
        #expect(samples[#"koobatch_instances{state="pending"}"#] == 40)
        #expect(
            samples.keys.filter { $0.hasPrefix("koobatch_requests_total") || $0.hasPrefix("koobatch_process") } == []
        )
    }

    @Test("with a daemon they are the same on every way out, and true")
    func everywhere() throws {
        let daemon = try koobatch.program(
            ["run"],
            environment: ["KOOBATCH_METRICS_LISTEN": "unix:\(socket)", "KOOBATCH_METRICS_FILE": file]
        )
        defer { daemon.signal(SIGKILL) }
        try koobatch.wait(for: "SELECT pid = \(daemon.identifier) AND running FROM daemon")
        _ = try koobatch.insert(instances: 70)
        try koobatch.waitUntilFinished()
        let submitted = #"koobatch_requests_total{operation="submit",outcome="accepted"}"#
        try koobatch.wait(for: "SELECT exposition LIKE '%\(submitted) 3%' FROM daemon_metrics")
        for text in [try get("/metrics"), try String(contentsOfFile: file, encoding: .utf8)] {
            let samples = try samples(text)
            #expect(samples["koobatch_daemon_up"] == 1)
            #expect(samples[submitted] == 3)
            #expect(samples[#"koobatch_request_duration_seconds_count{operation="submit"}"#] == 3)
            #expect(samples["koobatch_chunks_planned_total"] == 3)
            #expect(samples["koobatch_results_total"] == 70)
            #expect(samples["koobatch_first_request_delay_seconds_count"] == 1)
            #expect(samples[#"koobatch_jobs_finished_total{state="succeeded"}"#] == 1)
            #expect(samples[#"koobatch_instances{state="succeeded"}"#] == 70)
            #expect(samples[#"koobatch_jobs{state="succeeded"}"#] == 1)
            #expect(samples["koobatch_oldest_due_chunk_age_seconds"] == 0)
            #expect(samples["koobatch_sync_duration_seconds_count"] ?? 0 >= 3)
        }
        let printed = try command()
        #expect(printed[submitted] == 3)
        #expect(Set(printed.keys) == Set(try samples(get("/metrics")).keys))
        #expect(try get("/healthz") == "ok\n")
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o644)

        daemon.signal(SIGTERM)
        #expect(daemon.wait() == 0)
        let last = try samples(String(contentsOfFile: file, encoding: .utf8))
        #expect(last["koobatch_daemon_up"] == 0 && last[submitted] == 3)
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test("the manual lists each with its kind and labels, and no other")
    func manual() throws {
        try koobatch.start()
        _ = try koobatch.insert(instances: 1)
        try koobatch.wait(for: "SELECT count(*) FROM daemon_metrics")
        let exposition = try koobatch.run(["metrics"]).output
        var labels: [Substring: [Substring]] = [:]
        for sample in exposition.matches(of: /(?m)^([a-z_]+?)(?:_bucket|_sum|_count)?\{(.*)\}/) {
            labels[sample.output.1] = sample.output.2.matches(of: /([a-z_]+)="/).map(\.output.1).filter { $0 != "le" }
        }
        let families = exposition.matches(of: /(?m)^# TYPE ([a-z_]+) ([a-z]+)$/)
        let entries = try #require(ManualPage("koobatch-metrics.7").section("METRICS")).entries
        #expect(entries.flatMap(\.names) == families.map { String($0.output.1) }.sorted())
        for family in families {
            let entry = try #require(entries.first { $0.names == [String(family.output.1)] })
            let by = labels[family.output.1, default: []]
            let list = (by.dropLast().joined(separator: ", ") + " and " + (by.last ?? "")).trimmingPrefix(" and ")
            let head = family.output.2.capitalized + (list.isEmpty ? ". " : ", by \(list). ")
            #expect(entry.text.hasPrefix(head), "\(entry.names): \(head)")
        }
    }

    @Test("an address that others could reach, and a file that nobody would read, are refused")
    func badSettings() throws {
        let run = try koobatch.program(
            ["run"],
            environment: ["KOOBATCH_METRICS_LISTEN": "0.0.0.0:9464", "KOOBATCH_METRICS_FILE": "koobatch.txt"]
        )
        #expect(run.wait() == 78)
        #expect(
            try run.errors.contains("metrics.listen: must be a loopback address with a port, such as 127.0.0.1:9464")
        )
        #expect(try run.errors.contains("metrics.file: must be an absolute path that ends in .prom, not koobatch.txt"))
    }

    @Test("the log tells of jobs, of each chunk at debug, and is JSON throughout", arguments: ["info", "debug"])
    func log(level: String) throws {
        try koobatch.configure(settings: "log: {level: \(level), format: json}\n\(Koobatch.eager)")
        try koobatch.simulator.faults(
            #"{"instances": {"bad*": {"fail": {"error_code": "CPS0005", "error_msg": "a \"b\"\n\u001bc"}}}}"#
        )
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 64, prefix: "bad")
        try koobatch.waitUntilFinished()
        _ = try koobatch.insert(instances: 1, prefix: "x", columns: [("run_at", "'2999-01-01'")])
        try koobatch.shell.run("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2")
        #expect(try koobatch.stop() == 0)
        let lines = try daemon.errors.split(separator: "\n").map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
        let messages = Dictionary(grouping: lines) { $0["message"] ?? "" }
        let ofChunks = Set(level == "debug" ? ["Chunk submitted", "Results recorded"] : [])
        #expect(
            Set(messages.keys)
                == ofChunks.union(["Route of requests", "Started", "Job started", "Job finished", "Stopped"])
        )
        #expect(messages["Chunk submitted"]?.count == (level == "debug" ? 2 : nil))
        #expect(messages["Job started"]?.map { $0["instance.count"] } == ["64"])
        let finished = try #require(messages["Job finished"]).sorted {
            $0["command_job.id"] ?? "" < $1["command_job.id"] ?? ""
        }
        try #require(finished.count == 2)
        #expect(finished[0]["command_job.state"] == "failed" && finished[0]["instance.failed"] == "64")
        #expect(finished[0]["duration.seconds"].flatMap(Double.init) != nil && finished[0]["level"] == "info")
        #expect(finished[1]["command_job.state"] == "cancelled" && finished[1]["instance.cancelled"] == "1")
        #expect(lines.allSatisfy { !$0.values.contains { $0.contains(Koobatch.token + " ") } })
    }
}
