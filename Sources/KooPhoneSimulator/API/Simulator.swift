public import FoundationEssentials
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// A local KooPhone API that keeps the documented rules and breaks them on request.
public struct Simulator: Service {
    private let configuration: SimulatorConfiguration
    private let logger: Logger
    private let clock: @Sendable () -> Date

    /// Creates a simulator, which does nothing until it runs.
    ///
    /// - Parameter clock: Tells the time that decides on throttling, expiry and the end of jobs; tests bring their own.
    public init(
        configuration: SimulatorConfiguration,
        logger: Logger,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
    }

    /// Serves until a graceful shutdown or cancellation.
    public func run() async throws {
        try await run { _ in }
    }

    /// Serves until a graceful shutdown or cancellation, and tells the port once it listens.
    ///
    /// A graceful shutdown answers what can be answered at once; requests that are delayed or hang are dropped.
    ///
    /// - Throws: ``SimulatorError`` for a host that is not this machine, and the system's error when the port is taken.
    public func run(onReady: @escaping @Sendable (_ port: Int) async -> Void) async throws {
        guard SimulatorConfiguration.isLoopback(configuration.host) else {
            throw SimulatorError.notLoopback(configuration.host)
        }
        let handler = RequestHandler(configuration: configuration, clock: clock)
        let protocols = HTTPServerBuilder.http1(
            configuration: .init(additionalChannelHandlers: [ClientPatience()])
        )
        let server = try protocols.buildServer(
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                backlog: 4_096
            ),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            responder: { request, writer, channel in
                try await handler.respond(to: request, through: writer, on: channel)
            },
            onServerRunning: { channel in
                await onReady(channel.localAddress?.port ?? configuration.port)
            }
        )
        try await server.run()
    }
}

/// Why a simulator does not start.
public enum SimulatorError: Error, CustomStringConvertible {
    /// The host could be reached from other machines.
    case notLoopback(String)

    /// What the operator should do.
    public var description: String {
        switch self {
        case .notLoopback(let host):
            "refusing to listen on \(host): the simulator has no real authentication, use 127.0.0.1, ::1 or localhost"
        }
    }
}
