import Foundation
import TestSupport
import Testing

@Suite("Under a service manager", .programs)
struct ServiceTests {
    /// A daemon that tells a socket of the test's own what systemd would hear.
    private final class Service {
        let koobatch: Koobatch
        let socket: NotifySocket
        let daemon: ChildProcess

        init(
            _ settings: String = "poll: {initial_delay: 0.02, max_delay: 0.1}\nretry: {base_delay: 0.02}",
            environment: [String: String] = [:]
        ) throws {
            koobatch = try Koobatch(settings: settings)
            socket = try NotifySocket(path: koobatch.folder.appending(path: "n").path)
            daemon = try koobatch.start(environment: environment.merging(["NOTIFY_SOCKET": socket.path]) { $1 })
            // A manager reloads what is ready.
            #expect(socket.receive(containing: "READY=1") == "READY=1")
        }

        /// Sends SIGHUP and waits until the daemon has obeyed.
        func reload() throws {
            daemon.signal(SIGHUP)
            let reloading = try #require(socket.receive(containing: "RELOADING=1"))
            #expect(reloading.contains("MONOTONIC_USEC="))
            #expect(socket.receive(containing: "READY=1") != nil)
        }

        func log(_ part: String) throws -> [String] {
            try daemon.errors.split(separator: "\n").map(String.init).filter { $0.contains(part) }
        }
    }

    @Test("says when it is ready, what it does while it does it, and when it stops")
    func life() throws {
        let service = try Service()
        #expect(try service.koobatch.shell.run("SELECT running FROM daemon") == "1")
        #expect(service.socket.receive(containing: "STATUS=") == "STATUS=Idle")
        try service.koobatch.simulator.faults(#"{"rules": [{"on":"query","kind":"delay","seconds":5}]}"#)
        _ = try service.koobatch.insert(instances: 320)
        let busy = try #require(service.socket.receive(containing: "1 job running"))
        #expect(busy.contains("STATUS=1 job running; chunks: 0 waiting, 10 in flight, 0 held;"), "\(busy)")
        try service.koobatch.simulator.faults("{}")
        try service.koobatch.waitUntilFinished()
        #expect(service.socket.receive(containing: "STATUS=Idle") != nil)
        service.daemon.signal(SIGTERM)
        #expect(service.socket.receive(containing: "STOPPING=1") != nil)
        #expect(service.daemon.wait() == 0)
    }

    @Test("says why requests pause")
    func pause() throws {
        let service = try Service()
        try service.koobatch.simulator.faults(
            #"{"rules": [{"on":"any","kind":"status","status":401,"error_code":"APIGW.0301","error_msg":"no"}]}"#
        )
        _ = try service.koobatch.insert(instances: 3)
        #expect(service.socket.receive(containing: "the API refuses the credentials") != nil)
    }

    @Test("feeds the watchdog while it gets on, even if a shell keeps the database locked, and not when it is stopped")
    func watchdog() throws {
        let service = try Service(environment: ["WATCHDOG_USEC": "2000000"])
        try service.koobatch.simulator.faults(#"{"rules": [{"on":"query","kind":"delay","seconds":2}]}"#)
        _ = try service.koobatch.insert(instances: 3, prefix: "before")
        try service.koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'submitted'")
        let lock = try WriteLock(database: service.koobatch.shell.database)
        // Twelve seconds: longer than a turn may take, and than the database waits for a lock.
        for _ in 0..<24 { #expect(service.socket.receive(containing: "WATCHDOG=1", within: 5_000) != nil) }
        #expect(try service.log("Database write failed").count >= 1)
        #expect(try service.log("Daemon stalled").isEmpty)
        try lock.release()
        _ = try service.koobatch.insert(instances: 3)
        try service.koobatch.waitUntilFinished()
        service.daemon.signal(SIGSTOP)
        while service.socket.receive(within: 1_000) != nil {}
        service.daemon.signal(SIGCONT)
        #expect(service.socket.receive(containing: "WATCHDOG=1") != nil)
    }

    @Test("puts a good configuration in force on SIGHUP, and says what has changed and what needs a restart")
    func goodReload() throws {
        let service = try Service()
        let other = service.koobatch.folder.appending(path: "other")
        try Koobatch.token.write(to: other, atomically: true, encoding: .utf8)
        try service.koobatch.configure(
            """
            poll: {initial_delay: 0.02, max_delay: 0.1, enabled: false}
            retry: {base_delay: 0.02}
            submit: {chunk_size: 2, max_in_flight: 1}
            retention: {finished_jobs: 5s}
            log: {format: json, level: debug}
            """,
            token: "other"
        )
        try service.reload()
        for change in [
            #""from":"32","key":"submit.chunk_size","to":"2""#, #""from":"32","key":"submit.max_in_flight","to":"1""#,
            #""from":"30d","key":"retention.finished_jobs","to":"5s""#,
            #""from":"info","key":"log.level","to":"debug""#,
        ] {
            #expect(try service.log(change).count == 1, "\(change)")
        }
        let restart = try service.log("needs a restart")
        #expect(restart.count == 1 && restart[0].contains("poll.enabled"))
        try service.koobatch.simulator.faults(#"{"rules": [{"on":"any","kind":"delay","seconds":0.05}]}"#)
        let job = try service.koobatch.insert(instances: 8)
        try service.koobatch.wait(for: "SELECT count(*) = 4 FROM chunks WHERE size = 2 AND command_job_id = \(job)")
        #expect(try !service.log(#""level":"debug""#).isEmpty)
        try service.koobatch.wait(for: "SELECT count(*) = 4 FROM attempts WHERE finished_at IS NOT NULL")
        let together = try service.koobatch.shell.run(
            "SELECT count(*) FROM attempts AS a JOIN attempts AS b ON b.id > a.id AND b.started_at < a.finished_at"
        )
        #expect(together == "0", "requests in flight together")
        try service.koobatch.wait(for: "SELECT count(*) = 0 FROM command_jobs")
        #expect(try service.log("Job deleted").count == 1)
        #expect(try service.koobatch.stop() == 0)
    }

    @Test("goes on with another endpoint and another token after SIGHUP, and loses nothing that is in flight")
    func otherEndpoint() throws {
        let service = try Service()
        let second = try SimulatorProcess(in: service.koobatch.folder, arguments: [])
        try service.koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":1}]}"#)
        _ = try service.koobatch.insert(instances: 32)
        try service.koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'submitting'")
        let file = service.koobatch.folder.appending(path: "koobatch.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        try text.replacing(service.koobatch.simulator.endpoint, with: second.endpoint)
            .write(to: file, atomically: true, encoding: .utf8)
        try service.reload()
        try service.koobatch.wait(for: "SELECT count(*) = 1 FROM attempts WHERE outcome = 'accepted'")
        let job = try service.koobatch.insert(instances: 32, prefix: "second")
        try service.koobatch.wait(for: "SELECT finished_at IS NOT NULL FROM command_jobs WHERE id = \(job)")
        #expect(try second.journal().flatMap(\.instance_ids).contains("second0"))
        #expect(try service.koobatch.simulator.journal().count == 1)
        #expect(try service.koobatch.stop() == 0)
        second.child.signal(SIGKILL)
        second.child.wait()
    }

    @Test("says on SIGHUP which credentials are read again, and that those of systemd need a restart")
    func credentialsOnReload() throws {
        let file = try Service()
        try file.reload()
        #expect(try file.log("The file with the credentials is read again").count == 1)
        try file.koobatch.write(secret: "other", to: "token")
        try file.koobatch.simulator.tokens(valid: ["other"])
        try file.reload()
        _ = try file.koobatch.insert(instances: 1)
        try file.koobatch.waitUntilFinished()
        #expect(try file.koobatch.shell.run("SELECT DISTINCT outcome FROM attempts") == "accepted")
        #expect(try file.koobatch.stop() == 0)

        let credentials = try TemporaryDirectory()
        try Koobatch.token.write(toFile: credentials.path("token"), atomically: true, encoding: .utf8)
        let passed = try Service(
            environment: [
                "CREDENTIALS_DIRECTORY": credentials.url.path,
                "KOOBATCH_KOOPHONE_AUTH_TOKEN_FILE": credentials.path("token"),
            ]
        )
        try passed.reload()
        let line = try #require(try passed.log("Credentials that systemd passes").first)
        #expect(line.contains("systemctl restart \(credentials.url.lastPathComponent)") && line.contains("/token"))
        #expect(try passed.log("read again; nothing has changed").count == 1)
        #expect(try passed.log("The file with the credentials").isEmpty)
        #expect(try passed.koobatch.stop() == 0)
    }

    @Test("reports every problem of a bad configuration on SIGHUP and goes on with the old one")
    func badReload() throws {
        let service = try Service()
        try service.koobatch.configure("submit: {chunk_size: 0, timeout: soon}\nnonsense: 1")
        try service.reload()
        let problems = try service.log("The configuration has a problem")
        #expect(problems.count == 3 && problems.allSatisfy { $0.contains(#""level":"error""#) })
        for key in ["submit.chunk_size", "submit.timeout", "nonsense"] {
            #expect(problems.contains { $0.contains("koobatch.yaml:") && $0.contains(key) })
        }
        #expect(try service.log("the old one stays in force").count == 1)
        _ = try service.koobatch.insert(instances: 33)
        try service.koobatch.waitUntilFinished()
        #expect(try service.koobatch.shell.run("SELECT max(size) FROM chunks") == "32")
    }

    @Test("compares what needs a restart with what runs, not with what was read last")
    func takenBack() throws {
        let service = try Service("log: {format: json}")
        for listen in ["127.0.0.1:1", "127.0.0.1:2", nil] {
            let metrics = listen.map { "metrics: {listen: '\($0)'}\n" } ?? ""
            try service.koobatch.configure("\(metrics)log: {format: json}")
            try service.reload()
        }
        let restart = try service.log("needs a restart")
        #expect(restart.count == 2 && restart.allSatisfy { $0.contains(#""from":"unset""#) }, "\(restart)")
        #expect(try service.log("is taken back and needs no restart any more").count == 1)
    }

    @Test("a configuration that is unchanged is read again without ado")
    func sameReload() throws {
        let service = try Service()
        try service.reload()
        #expect(try service.log("nothing has changed").count == 1)
    }
}
