import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A small HTTP server for a scraper on this machine: `GET` and `HEAD` of a few paths.
///
/// One request a connection, and not many connections at once; a head of at most 8 KiB; whatever is not done after
/// ten seconds is cut off.
public struct MetricsEndpoint: Service {
    /// What a path answers.
    public struct Page: Sendable {
        /// Whether all is well: 200, or 503.
        public let isWell: Bool
        /// The media type.
        public let contentType: String
        /// The body.
        public let text: String

        /// Creates a page.
        public init(isWell: Bool = true, contentType: String = "text/plain; charset=utf-8", text: String) {
            self.isWell = isWell
            self.contentType = contentType
            self.text = text
        }
    }

    /// Why it cannot listen, and what to do.
    public struct CannotListen: Error, CustomStringConvertible {
        /// A sentence for the operator.
        public let description: String
    }

    typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    static let longestHead = 8_192
    static let mostConnections = 16

    /// Where it listens, with the port that was taken.
    public let address: EndpointAddress
    private let socketFile: SocketFile?
    private let listener: NIOAsyncChannel<Connection?, Never>
    private let pages: [String: @Sendable () async -> Page]

    /// Listens; connections are served by `run()`.
    ///
    /// - Parameters:
    ///   - address: where.
    ///   - lifetime: of a connection.
    ///   - pages: what each path answers.
    /// - Throws: `CannotListen`.
    public init(
        listening address: EndpointAddress,
        lifetime: Duration = .seconds(10),
        pages: [String: @Sendable () async -> Page]
    ) async throws {
        let gate = ConnectionGate(places: Self.mostConnections)
        let limit = TimeAmount.nanoseconds(Int64(lifetime / .nanoseconds(1)))
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        let prepare: @Sendable (any Channel) -> EventLoopFuture<Connection?> = { channel in
            channel.eventLoop.makeCompletedFuture {
                guard gate.enter() else {
                    // Once it is registered: before, closing has no effect.
                    channel.eventLoop.execute { channel.close(promise: nil) }
                    return nil
                }
                channel.closeFuture.whenComplete { _ in gate.leave() }
                let end = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
                channel.closeFuture.whenComplete { _ in end.cancel() }
                return try Self.connection(channel)
            }
        }
        do {
            switch address {
            case .loopback(let host, let port):
                listener = try await bootstrap.bind(host: host, port: port, childChannelInitializer: prepare)
                self.address = .loopback(host: host, port: listener.channel.localAddress?.port ?? port)
                socketFile = nil
            case .unix(let path):
                try SocketFile.clear(path)
                listener = try await bootstrap.bind(
                    unixDomainSocketPath: path,
                    childChannelInitializer: prepare
                )
                socketFile = SocketFile(boundTo: path)
                // As open to the users of this machine as a port of the loopback interface.
                chmod(path, 0o666)
                self.address = address
            }
        } catch {
            throw CannotListen(description: "cannot listen on \(address): \(Self.reason(error))")
        }
        self.pages = pages
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError where error.errnoCode == EADDRINUSE:
            "the address is in use by another program; stop that, or give another"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as CannotListen: error.description
        default: "\(error)"
        }
    }

    private static func connection(_ channel: any Channel) throws -> Connection {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = longestHead
        limits.maxHeaderFieldSize = longestHead
        try channel.pipeline.syncOperations.addHandler(ByteLimit(longestHead))
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withErrorHandling: true,
            withEncoderConfiguration: .init(),
            withDecoderLimitConfiguration: limits
        )
        return try Connection(wrappingChannelSynchronously: channel)
    }

    /// Serves until graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            do {
                try await listener.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { group in
                        for try await case let connection? in connections {
                            group.addTask { await serve(connection) }
                        }
                    }
                }
            } catch {
                // Cancelled: the socket is closed.
            }
        }
        socketFile?.remove()
    }

    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { parts, answer in
                var head: HTTPRequestHead?
                for try await part in parts {
                    switch part {
                    case .head(let new): head = new
                    case .body: continue
                    case .end:
                        guard let head else { return }
                        return try await answer.write(contentsOf: Self.parts(of: await page(for: head), to: head))
                    }
                }
            }
        } catch {
            // The client's business: it has gone, or sent what is no request and was told so.
        }
    }

    private func page(for head: HTTPRequestHead) async -> (HTTPResponseStatus, Page) {
        guard head.method == .GET || head.method == .HEAD else {
            return (.methodNotAllowed, Page(text: "only GET and HEAD\n"))
        }
        let path = head.uri.prefix { $0 != "?" && $0 != "#" }
        guard let make = pages[String(path)] else {
            return (.notFound, Page(text: pages.keys.sorted().map { "\($0)\n" }.joined()))
        }
        let page = await make()
        return (page.isWell ? .ok : .serviceUnavailable, page)
    }

    private static func parts(
        of answer: (status: HTTPResponseStatus, page: Page),
        to head: HTTPRequestHead
    ) -> [HTTPServerResponsePart] {
        var headers = HTTPHeaders([
            ("content-type", answer.page.contentType),
            ("content-length", "\(answer.page.text.utf8.count)"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
        ])
        if answer.status == .methodNotAllowed { headers.add(name: "allow", value: "GET, HEAD") }
        let start = HTTPServerResponsePart.head(
            HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        )
        if head.method == .HEAD { return [start, .end(nil)] }
        return [start, .body(.byteBuffer(ByteBuffer(string: answer.page.text))), .end(nil)]
    }
}
