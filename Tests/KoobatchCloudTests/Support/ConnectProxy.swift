import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A proxy that takes CONNECT.
final class ConnectProxy: Sendable {
    /// What it does with the request for a tunnel.
    enum Conduct: Sendable {
        /// Connects to this port of the machine, whatever host is asked for.
        case tunnel(port: Int)
        /// The same, if the request has these credentials; else 407.
        case tunnelFor(user: String, password: String, port: Int)
        /// Answers with this status, and text such as proxies give.
        case refuse(String)
        /// Closes.
        case hangUp
    }

    private let conduct: Conduct
    private let heads = Mutex<[String]>([])

    private init(_ conduct: Conduct) {
        self.conduct = conduct
    }

    /// Listens while the body runs.
    static func serving(
        _ conduct: Conduct,
        _ body: (_ proxy: ConnectProxy, _ port: Int) async throws -> Void
    ) async throws {
        let proxy = ConnectProxy(conduct)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Front(proxy))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(proxy, channel.localAddress?.port ?? 0))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        try result.get()
    }

    /// The first line of every request for a tunnel.
    var requests: [String] { heads.withLock { $0.map { String($0.prefix { $0 != "\r\n" }) } } }

    /// The port to connect to for a request, or the status that refuses it; `nil` hangs up.
    private func decide(_ head: String) -> Result<Int, Refusal>? {
        heads.withLock { $0.append(head) }
        switch conduct {
        case .tunnel(let port): return .success(port)
        case .tunnelFor(let user, let password, let port):
            let login = Data("\(user):\(password)".utf8).base64EncodedString()
            let isRight = head.lowercased().contains("proxy-authorization: basic \(login)".lowercased())
            return isRight ? .success(port) : .failure(Refusal(status: "407 Proxy Authentication Required"))
        case .refuse(let status): return .failure(Refusal(status: status))
        case .hangUp: return nil
        }
    }

    private struct Refusal: Error {
        let status: String
    }

    /// The side of the client.
    private final class Front: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let proxy: ConnectProxy
        private var text = ""

        init(_ proxy: ConnectProxy) {
            self.proxy = proxy
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(decoding: unwrapInboundIn(data).readableBytesView, as: UTF8.self)
            guard text.hasSuffix("\r\n\r\n") else { return }
            let channel = context.channel
            switch proxy.decide(text) {
            case nil:
                context.close(promise: nil)
            case .failure(let refusal):
                let page = "<html>\(refusal.status)</html>"
                let answer = "HTTP/1.1 \(refusal.status)\r\nContent-Length: \(page.utf8.count)\r\n\r\n\(page)"
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            case .success(let port):
                ClientBootstrap(group: context.eventLoop)
                    .channelInitializer { back in
                        back.eventLoop.makeCompletedFuture {
                            try back.pipeline.syncOperations.addHandler(Relay(to: channel))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port)
                    .assumeIsolated()
                    .whenComplete { result in
                        switch result {
                        case .success(let back):
                            do {
                                try channel.pipeline.syncOperations.addHandler(Relay(to: back))
                            } catch {
                                channel.close(promise: nil)
                            }
                            channel.pipeline.syncOperations.removeHandler(self, promise: nil)
                            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), promise: nil)
                        case .failure:
                            channel.close(promise: nil)
                        }
                    }
            }
        }
    }

    /// Writes what comes in to the other side.
    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel

        init(to other: any Channel) {
            self.other = other
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            other.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
