import Foundation
import MetricsEndpoint
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite("The metrics endpoint")
struct EndpointTests {
    /// Serves while the body runs; connections live for longer than a machine that is busy with other tests may need.
    private func serving(
        on text: String = "127.0.0.1:0",
        lifetime: Duration = .seconds(300),
        page: @escaping @Sendable () async -> MetricsEndpoint.Page = { .init(contentType: "text/x", text: "one 1\n") },
        _ body: @escaping @Sendable (EndpointAddress) async throws -> Void
    ) async throws {
        let address = try #require(EndpointAddress(text))
        let endpoint = try await MetricsEndpoint(
            listening: address,
            lifetime: lifetime,
            pages: ["/metrics": page, "/healthz": { .init(isWell: false, text: "the disk is full\n") }]
        )
        try await withThrowingTaskGroup { group in
            group.addTask { try await endpoint.run() }
            try await body(endpoint.address)
            group.cancelAll()
        }
    }

    /// What a client prints: the head and the body.
    private func curl(
        _ arguments: String...,
        at address: EndpointAddress,
        path: String
    ) async throws -> Command.Outcome {
        let place: [String] =
            switch address {
            case .unix(let socket): ["--unix-socket", socket, "http://localhost\(path)"]
            case .loopback: ["http://\(address)\(path)"]
            }
        return try await blocking {
            try Command.run(["curl", "--silent", "--show-error", "--include", "--globoff"] + arguments + place)
        }
    }

    @Test("answers over loopback, IPv4 and IPv6", arguments: ["127.0.0.1:0", "[::1]:0"])
    func loopback(text: String) async throws {
        try await serving(on: text) { address in
            let answer = try await curl(at: address, path: "/metrics?x=1")
            #expect(answer.output.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.output.contains("content-type: text/x\r\n"))
            #expect(answer.output.contains("connection: close\r\n"))
            #expect(answer.output.hasSuffix("\r\n\r\none 1\n"))
        }
    }

    @Test("answers over a socket in the file system, takes the place of an old one, and clears it away")
    func unix() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("m.sock")
        for _ in 1...2 {
            try await serving(on: "unix:\(path)") { address in
                #expect(try await curl(at: address, path: "/metrics").output.hasSuffix("one 1\n"))
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o666)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("leaves a socket that somebody answers on, and what is no socket, where it is")
    func takenSocket() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("m.sock")
        try await serving(on: "unix:\(path)") { address in
            let inUse = "the address is in use by another program; stop that, or give another"
            let refusal = await Self.refusal(of: address)
            #expect(refusal == "cannot listen on \(address): \(inUse)")
            let answer = try await curl(at: address, path: "/metrics")
            #expect(answer.output.hasSuffix("one 1\n"))
        }
        try "precious".write(toFile: path, atomically: true, encoding: .utf8)
        let address = try #require(EndpointAddress("unix:\(path)"))
        let refusal = await Self.refusal(of: address)
        #expect(refusal == "cannot listen on \(address): there is something that is no socket; give another path")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    private static func refusal(of address: EndpointAddress) async -> String? {
        await #expect(throws: MetricsEndpoint.CannotListen.self) {
            _ = try await MetricsEndpoint(listening: address, pages: [:])
        }?.description
    }

    @Test("takes the place of a socket that nobody listens to, and clears away no other's")
    func oldSocket() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("m.sock")
        let address = try #require(EndpointAddress("unix:\(path)"))
        try ClientSocket.leave(at: path)
        try await serving(on: "unix:\(path)") { _ in
            #expect(try await curl(at: address, path: "/metrics").output.hasSuffix("one 1\n"))
            try FileManager.default.removeItem(atPath: path)
            try "another's".write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test("says 503 with the reason when all is not well")
    func unwell() async throws {
        try await serving { address in
            let answer = try await curl(at: address, path: "/healthz")
            #expect(answer.output.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(answer.output.hasSuffix("the disk is full\n"))
        }
    }

    @Test("answers HEAD without a body, refuses other methods and paths")
    func methods() async throws {
        try await serving { address in
            let head = try await curl("--head", at: address, path: "/metrics")
            #expect(head.output.contains("content-length: 6\r\n"))
            #expect(head.output.hasSuffix("\r\n\r\n"))
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
                let answer = try await curl("--request", method, at: address, path: "/metrics")
                #expect(answer.output.hasPrefix("HTTP/1.1 40"), "\(method): \(answer.output)")
                #expect(!answer.output.contains("one 1"))
            }
            #expect(try await curl("-d", "x", at: address, path: "/metrics").output.contains("allow: GET, HEAD\r\n"))
            for path in ["/", "/metrics/", "/metricsx", "/../metrics", "/%6detrics"] {
                #expect(try await curl("--path-as-is", at: address, path: path).output.hasPrefix("HTTP/1.1 404 "))
            }
        }
    }

    @Test("answers one request a connection, however many are asked in it")
    func pipelining() async throws {
        try await serving { address in
            let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            let socket = try ClientSocket(to: address)
            try socket.write(request + request + request)
            let answer = try await socket.readToEnd()
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 2)
        }
    }

    @Test(
        "cuts off who sends more than a request, or no request",
        arguments: [
            "GET /metrics HTTP/1.1\r\nX: \(String(repeating: "a", count: 9_000))\r\n\r\n",
            "GET /\(String(repeating: "a", count: 9_000)) HTTP/1.1\r\n\r\n",
            "GET /metrics HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 1_500))\r\n",
            "POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n\(String(repeating: "b", count: 9_000))",
            "\u{16}\u{03}\u{01}\u{02}\u{00}\r\n\r\n", "GET /metrics\r\n\r\n", "\r\n\r\nnonsense\r\n\r\n",
        ]
    )
    func abuse(bytes: String) async throws {
        try await serving { address in
            let socket = try ClientSocket(to: address)
            try socket.write(bytes)
            #expect(try await !socket.readToEnd().contains("one 1"))
            #expect(try await curl(at: address, path: "/metrics").output.hasSuffix("one 1\n"))
        }
    }

    @Test("cuts off who does not finish a request in time")
    func slow() async throws {
        try await serving(lifetime: .milliseconds(100)) { address in
            let socket = try ClientSocket(to: address)
            try socket.write("GET /metrics HTTP/1.1\r\nHost: ")
            #expect(try await socket.readToEnd() == "")
        }
    }

    @Test("turns away connections beyond the sixteenth, and takes more when those have gone")
    func crowd() async throws {
        try await serving { address in
            let sockets = try (0..<17).map { _ in try ClientSocket(to: address) }
            for socket in sockets { try socket.write("GET /metrics HTTP/1.1\r\n") }
            try await withThrowingTaskGroup(of: String.self) { answers in
                for socket in sockets { answers.addTask { try await socket.readToEnd() } }
                // One of them; in which order connections are taken is nobody's promise.
                #expect(try await answers.next() == "")
                for socket in sockets { try socket.write("\r\n") }
                var served = 0
                for try await answer in answers where answer.hasSuffix("one 1\n") { served += 1 }
                #expect(served == 16)
            }
            #expect(
                try await curl("--retry", "3", "--retry-all-errors", at: address, path: "/metrics").output.hasSuffix(
                    "one 1\n"
                )
            )
        }
    }

    @Test("says that a port is taken, and what of")
    func taken() async throws {
        try await serving { address in
            let error = await #expect(throws: MetricsEndpoint.CannotListen.self) {
                _ = try await MetricsEndpoint(listening: address, pages: [:])
            }
            #expect(error?.description.hasPrefix("cannot listen on \(address): ") == true)
        }
    }

    @Test(
        "listens to this machine only",
        arguments: [
            "0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "example.com:9464", "localhost:9464", ":9464", "9464",
            "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+1", "::1:9464", "unix:metrics.sock", "unix:",
            "unix:/run/", "unix:/\(String(repeating: "a", count: 108))", "http://127.0.0.1:9464", "",
        ]
    )
    func refused(text: String) {
        #expect(EndpointAddress(text) == nil)
    }
}
