import KooPhoneSimulator
import KoobatchCore
import NIOCore
import NIOPosix
import ServiceConformance
import Testing

@testable import KoobatchCloud

/// Whether a request that failed may have reached the API.
@Suite
struct PhaseTests {
    @Test
    func `A refused connection means not sent`() async throws {
        let refusing = try RefusingPort()
        try await withClient(of: "http://127.0.0.1:\(refusing.port)") { client in
            for failure in [await client.failure(), await client.failure(ofTask: "t")] {
                #expect(failure?.outcome == .notSent)
                #expect(failure?.errorCode == ServiceFailure.Code.connect)
                #expect(failure?.message.contains("refused") == true)
            }
        }
    }

    @Test
    func `A task that is cancelled already makes no connection`() async throws {
        try await RawServer.serving(.silence) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                await withTaskGroup(of: ServiceFailure?.self) { group in
                    group.cancelAll()
                    group.addTask { await client.failure() }
                    #expect(await group.next()??.outcome == .notSent)
                }
            }
            #expect(server.connectionCount == 0)
        }
    }

    @Test
    func `A name that does not resolve means not sent`() async throws {
        try await withClient(of: "https://koophone.invalid") { client in
            let failure = await client.failure()
            #expect(failure?.outcome == .notSent)
            #expect(failure?.errorCode == ServiceFailure.Code.connect)
            #expect(failure?.message.contains("koophone.invalid") == true)
        }
    }

    @Test
    func `A failed TLS handshake means not sent`() async throws {
        try await SimulatedAPI.serving { api in
            let endpoint = api.endpoint.replacing("http:", with: "https:")
            try await withClient(of: endpoint) { client in
                for failure in [await client.failure(), await client.failure(ofTask: "t")] {
                    #expect(failure?.outcome == .notSent)
                    #expect(failure?.errorCode == ServiceFailure.Code.connect)
                }
            }
        }
    }

    @Test
    func `A TLS handshake that never ends means not sent`() async throws {
        try await RawServer.serving(.silence) { _, port in
            try await withClient(of: "https://127.0.0.1:\(port)", timeout: .milliseconds(150)) { client in
                let failure = await client.failure()
                #expect(failure?.outcome == .notSent)
                #expect(failure?.errorCode == ServiceFailure.Code.connect)
            }
        }
    }

    @Test
    func `A connection that is closed after the head means unknown`() async throws {
        try await RawServer.serving(.closeAfterHead) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for failure in [await client.failure(), await client.failure(ofTask: "t")] {
                    #expect(failure?.outcome == .unknown)
                    #expect(failure?.errorCode == ServiceFailure.Code.connectionLost)
                }
            }
        }
    }

    @Test(
        arguments: [
            .silence, .answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":"),
        ] as [RawServer.Conduct]
    )
    func `No whole answer in time means unknown`(_ conduct: RawServer.Conduct) async throws {
        try await RawServer.serving(conduct) { server, port in
            let timeIsUp = LimitTimer.up { await server.waitForArrival() }
            try await withClient(of: "http://127.0.0.1:\(port)", timer: timeIsUp) { client in
                for failure in [await client.failure(), await client.failure(ofTask: "t")] {
                    #expect(failure?.outcome == .unknown)
                    #expect(failure?.errorCode == ServiceFailure.Code.timeout)
                    #expect(failure?.message.contains("20 seconds") == true)
                }
            }
        }
    }

    @Test
    func `No connection in time means not sent`() async throws {
        try await RawServer.serving(.silence) { server, port in
            let timeIsUp = LimitTimer.up { await server.waitForArrival() }
            try await withClient(of: "https://127.0.0.1:\(port)", timer: timeIsUp) { client in
                let failure = await client.failure()
                server.hangUp()
                #expect(failure?.outcome == .notSent)
                #expect(failure?.errorCode == ServiceFailure.Code.connect)
                #expect(failure?.message.contains("20 seconds") == true)
            }
        }
    }

    @Test(arguments: [200, 302, 400, 401, 403, 413, 429, 500, 503])
    func `An answer whose body stops in the middle means unknown, whatever its status`(status: Int) async throws {
        let part = "HTTP/1.1 \(status) X\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\n{\"error_code\":\"KOO"
        try await RawServer.serving(.answerAndClose(part)) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for failure in [await client.failure(), await client.failure(ofTask: "t")] {
                    #expect(failure?.outcome == .unknown)
                    #expect(failure?.errorCode == ServiceFailure.Code.connectionLost)
                }
            }
        }
    }

    @Test
    func `Cancellation before the connection stands means not sent`() async throws {
        try await RawServer.serving(.silence) { server, port in
            try await withClient(of: "https://127.0.0.1:\(port)") { client in
                let failure = await Self.cancelling(client, onArrivalAt: server)
                server.hangUp()
                #expect(failure?.outcome == .notSent)
                #expect(failure?.errorCode == ServiceFailure.Code.interrupted)
            }
        }
    }

    @Test
    func `Cancellation while the answer is awaited means unknown`() async throws {
        try await RawServer.serving(.silence) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                let failure = await Self.cancelling(client, onArrivalAt: server)
                #expect(failure?.outcome == .unknown)
                #expect(failure?.errorCode == ServiceFailure.Code.interrupted)
            }
        }
    }

    @Test
    func `A client that was shut down sends nothing`() async throws {
        let file = try ScratchFile(SimulatedAPI.token)
        let late = try await withClient(of: "http://127.0.0.1:9", credentials: .tokenFile(path: file.path)) { $0 }
        let failure = await late.failure()
        #expect(failure?.outcome == .notSent)
    }

    @Test
    func `What is not HTTP means unknown`() async throws {
        try await RawServer.serving(.answer("SSH-2.0-OpenSSH_9.9\r\n")) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                let failure = await client.failure()
                #expect(failure?.outcome == .unknown)
                #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
            }
        }
    }

    /// Submits, and cancels when the first bytes have come to the server.
    private static func cancelling(_ client: KooPhoneClient, onArrivalAt server: RawServer) async -> ServiceFailure? {
        await withTaskGroup(of: ServiceFailure?.self) { group in
            group.addTask { await client.failure() }
            await server.waitForArrival()
            group.cancelAll()
            return await group.next() ?? nil
        }
    }
}
