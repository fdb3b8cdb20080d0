import NIOCore

/// Closes a connection without an answer as soon as its client gives up on it.
///
/// The server lets clients close their half of a connection, so nothing else would notice the end of one that waits for
/// an answer that never comes.
final class ClientPatience: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private struct Tested: Sendable {}

    private var isTested = false
    private var isExhausted = false

    /// Waits until the client has closed the connection, or the task is cancelled.
    static func exhaust(on channel: any Channel) async throws {
        try await withTaskCancellationHandler {
            channel.pipeline.fireUserInboundEventTriggered(Tested())
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is Tested:
            isTested = true
        case ChannelEvent.inputClosed:
            isExhausted = true
            context.fireUserInboundEventTriggered(event)
        default:
            context.fireUserInboundEventTriggered(event)
        }
        if isTested && isExhausted {
            context.close(promise: nil)
        }
    }
}
