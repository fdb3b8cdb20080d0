import NIOCore
import Synchronization

/// Counts the connections that are open.
final class ConnectionGate: Sendable {
    private let free: Mutex<Int>

    init(places: Int) {
        free = Mutex(places)
    }

    /// Takes a place; `false` if there is none.
    func enter() -> Bool {
        free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    /// Gives a place back.
    func leave() {
        free.withLock { $0 += 1 }
    }
}

/// Closes a connection that sends more than a request needs, before anything of it is read further.
final class ByteLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var left: Int

    init(_ bytes: Int) {
        left = bytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        left -= unwrapInboundIn(data).readableBytes
        if left < 0 { return context.close(promise: nil) }
        context.fireChannelRead(data)
    }
}
