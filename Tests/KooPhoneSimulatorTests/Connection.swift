import NIOCore
import NIOPosix

/// A bare TCP connection to the simulator, which shows exactly what is sent and when the other side closes.
struct Connection {
    typealias Stream = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let inbound: NIOAsyncChannelInboundStream<ByteBuffer>
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    static func with<Result: Sendable>(
        port: Int,
        _ body: @Sendable (Connection) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Stream(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true)
                    )
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(Connection(inbound: inbound, outbound: outbound))
        }
    }

    func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    /// Everything the server sends until it closes the connection.
    func readToEnd() async throws -> String {
        var received = ByteBuffer()
        for try await part in inbound {
            received.writeImmutableBuffer(part)
        }
        return String(buffer: received)
    }
}
