import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server that does as it is told with the bytes of a connection, right or wrong.
final class RawServer: Sendable {
    /// What it does with a connection.
    enum Conduct: Sendable {
        /// Reads and never answers.
        case silence
        /// Closes as soon as the head of a request is there.
        case closeAfterHead
        /// Writes this when a request is complete, and keeps the connection open.
        case answer(String)
        /// Writes this when the first request of a connection is complete, and closes at the second.
        case answerOnce(String)
        /// Writes this when a request is complete, and closes.
        case answerAndClose(String)
        /// Writes this as soon as there is a connection, and keeps it open.
        case answerAtOnce(String)
        /// Writes this, which need not be text, when a request is complete, and closes.
        case answerBytesAndClose([UInt8])
        /// The same with another answer for each request, in the order in which they come.
        case answerEachAndClose([[UInt8]])
    }

    private let requests = Mutex<[String]>([])
    private let connections = Mutex<[any Channel]>([])
    private let arrivals: AsyncStream<Void>
    private let hangUps: AsyncStream<Void>
    private let ended: AsyncStream<Void>.Continuation
    private let arrival: AsyncStream<Void>.Continuation
    private let conduct: Conduct

    private init(_ conduct: Conduct) {
        self.conduct = conduct
        (arrivals, arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
        (hangUps, ended) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Listens while the body runs.
    static func serving(
        _ conduct: Conduct,
        tls: NIOSSLContext? = nil,
        _ body: (_ server: RawServer, _ port: Int) async throws -> Void
    ) async throws {
        let server = RawServer(conduct)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(server, channel.localAddress?.port ?? 0))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        try result.get()
    }

    /// What came in, one entry a connection, in no order.
    var received: [String] { requests.withLock { $0 } }

    /// How many connections were made.
    var connectionCount: Int { connections.withLock { $0.count } }

    /// Closes every connection.
    func hangUp() {
        for channel in connections.withLock({ $0 }) { channel.close(promise: nil) }
    }

    /// Waits until something came in on any connection: all of a request, or what a silent server got first.
    func waitForArrival() async {
        for await _ in arrivals { return }
    }

    /// Waits until a connection was closed, one for each call.
    func waitForHangUp() async {
        for await _ in hangUps { return }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let server: RawServer
        private var text = ""
        private var isSecond = false

        init(_ server: RawServer) {
            self.server = server
        }

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            server.connections.withLock { $0.append(channel) }
            if case .answerAtOnce(let answer) = server.conduct {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(decoding: unwrapInboundIn(data).readableBytesView, as: UTF8.self)
            switch server.conduct {
            case .silence where isComplete || !text.isHTTP:
                arrived()
            case .closeAfterHead where text.contains("\r\n\r\n"):
                arrived()
                context.close(promise: nil)
            case .answer(let answer) where isComplete:
                arrived()
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            case .answerOnce where isSecond:
                context.close(promise: nil)
            case .answerOnce(let answer) where isComplete:
                isSecond = true
                arrived()
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            case .answerAndClose(let answer) where isComplete:
                close(context, after: ByteBuffer(string: answer))
            case .answerBytesAndClose(let answer) where isComplete:
                close(context, after: ByteBuffer(bytes: answer))
            case .answerEachAndClose(let answers) where isComplete:
                close(context, after: ByteBuffer(bytes: answers[server.received.count % answers.count]))
            default:
                break
            }
        }

        private func close(_ context: ChannelHandlerContext, after answer: ByteBuffer) {
            arrived()
            context.writeAndFlush(wrapOutboundOut(answer)).assumeIsolated()
                .whenComplete { _ in context.close(promise: nil) }
        }

        private func arrived() {
            server.requests.withLock { $0.append(text) }
            server.arrival.yield()
            text = ""
        }

        private var isComplete: Bool {
            guard let end = text.firstRange(of: "\r\n\r\n") else { return false }
            let head = text[..<end.lowerBound].lowercased()
            guard let field = head.firstRange(of: "content-length: ") else { return true }
            let length = Int(head[field.upperBound...].prefix(while: \.isNumber)) ?? 0
            return text[end.upperBound...].utf8.count >= length
        }

        func channelInactive(context: ChannelHandlerContext) {
            server.ended.yield()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

extension String {
    fileprivate var isHTTP: Bool { hasPrefix("POST") || hasPrefix("GET") }
}

extension RawServer {
    /// The API's acceptance of the sample request.
    static let acceptance = http(
        "200 OK",
        #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"1"},{"instance_id":"b","job_id":"2"}]},"error_code":"0"}"#
    )

    /// The text of an answer.
    static func http(_ status: String, headers: [String] = [], _ body: String) -> String {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}
