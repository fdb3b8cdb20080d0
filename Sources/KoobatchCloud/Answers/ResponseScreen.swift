import KoobatchCore
import NIOCore
import NIOHTTP1

/// Hands a response to the HTTP client only when it is whole and was asked for.
///
/// AsyncHTTPClient's state machines hold some orders of events for impossible that a server can bring about, and end the
/// process: a body after a head whose status they take for informational (000 to 199), or a response on a connection
/// without a request. This handler stands between the HTTP decoder and the client, so that whatever comes over a connection
/// at worst fails its request: a status below 100, a protocol switch, a flood of informational responses, a response before
/// its request is written, one that nobody asked for, and a body that is too long are errors that close the connection.
/// Informational responses and trailers are dropped. A content coding that cannot be undone is kept from the client, whose
/// decompressor would look at the first of several.
///
/// A response on which more bytes follow, and one that is not the API's own, is delivered and the connection closed: the next
/// request on it might be given an answer that is not its own. So is one that comes when the connection has reached its
/// greatest age: the next connection is made to what DNS says then.
final class ResponseScreen: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// What a server may not do.
    enum Violation: Error, CustomStringConvertible {
        case status(Int)
        case protocolSwitch
        case tooManyInformational
        case early
        case tooLong(Int)

        var description: String {
            switch self {
            case .status(let code): "a response with status \(code), which HTTP does not have"
            case .protocolSwitch: "the server switches to another protocol"
            case .tooManyInformational: "more than \(ResponseScreen.mostInformational) informational responses"
            case .early: "a response before the request was sent"
            case .tooLong(let limit): "the response is longer than \(limit) bytes"
            }
        }
    }

    private enum State {
        /// No request is out.
        case idle
        /// A request is being written.
        case requesting
        /// The request is written, and its response awaited.
        case waiting(informational: Int)
        case receiving(HTTPResponseHead, ByteBuffer)
        /// The response is whole; more may follow in the same read.
        case received(HTTPResponseHead, ByteBuffer, isFollowed: Bool)
        /// Nothing more is taken from this connection.
        case closed
    }

    private static let mostInformational = 16
    private static let field: StaticString = "\"error_code\""

    private let longest: Int
    private let retiresAt: NIODeadline
    private let requests: OpenRequests
    private var state = State.idle

    /// Creates a screen.
    ///
    /// - Parameters:
    ///   - longest: the longest body that is taken, in bytes as they are sent.
    ///   - retiresAt: when the connection has reached its greatest age.
    ///   - requests: told of each request that has an `x-request-id`.
    init(longest: Int, retiresAt: NIODeadline, requests: OpenRequests) {
        self.longest = longest
        self.retiresAt = retiresAt
        self.requests = requests
    }

    /// Puts a screen into the pipeline of a connection of AsyncHTTPClient, before its first request.
    static func install(
        in channel: any Channel,
        longest: Int,
        age: TimeAmount,
        requests: OpenRequests
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let screen = ResponseScreen(longest: longest, retiresAt: .now() + age, requests: requests)
            try pipeline.addHandler(screen, position: .after(decoder))
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (unwrapOutboundIn(data), state) {
        case (.head(let head), .idle):
            state = .requesting
            if let id = head.headers.first(name: "x-request-id") { requests.began(id, on: context.channel) }
        case (.end, .requesting): state = .waiting(informational: 0)
        default: break
        }
        context.write(data, promise: promise)
    }

    /// Head and body leave in one piece: the client flushes each, and two packets cost both sides twice the work.
    func flush(context: ChannelHandlerContext) {
        if case .requesting = state { return }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (state, unwrapInboundIn(data)) {
        case (.closed, _):
            break
        case (.idle, _):
            close(context)
        case (.requesting, _):
            fail(.early, context)
        case (.waiting(let count), .head(let head)):
            receive(head, afterInformational: count, context)
        case (.waiting, _):
            // The end of an informational response.
            break
        case (.receiving(let head, var body), .body(var part)):
            guard body.readableBytes + part.readableBytes <= longest else { return fail(.tooLong(longest), context) }
            // Else the bytes would be copied before they are appended.
            state = .closed
            if body.readableBytes == 0 { body = part } else { body.writeBuffer(&part) }
            state = .receiving(head, body)
        case (.receiving(let head, let body), .end):
            state = .received(head, body, isFollowed: false)
        case (.receiving, .head):
            fail(.early, context)
        case (.received(let head, let body, _), _):
            state = .received(head, body, isFollowed: true)
        }
    }

    private func receive(_ head: HTTPResponseHead, afterInformational count: Int, _ context: ChannelHandlerContext) {
        let status = Int(head.status.code)
        switch status {
        case ..<100: fail(.status(status), context)
        case 101: fail(.protocolSwitch, context)
        case 100..<200 where count >= Self.mostInformational: fail(.tooManyInformational, context)
        case 100..<200: state = .waiting(informational: count + 1)
        default: state = .receiving(head, ByteBuffer())
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver(context)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deliver(context)
        state = .closed
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .received(let head, let body, _) = state {
            // What cannot be parsed came after the response.
            state = .received(head, body, isFollowed: true)
            deliver(context)
            return
        }
        state = .closed
        context.fireErrorCaught(error)
    }

    private func deliver(_ context: ChannelHandlerContext) {
        guard case .received(var head, let body, let isFollowed) = state else { return }
        let isLast = isFollowed || !Self.isOfAPI(head, body) || NIODeadline.now() >= retiresAt
        state = isLast ? .closed : .idle
        if isLast { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        ContentCoding.setAside(&head.headers)
        context.fireChannelRead(wrapInboundOut(.head(head)))
        if body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(body))) }
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        if isLast { context.close(promise: nil) }
    }

    /// Whether a response is one that the API itself gives: its envelope, with a status of success or of refusal.
    private static func isOfAPI(_ head: HTTPResponseHead, _ body: ByteBuffer) -> Bool {
        guard AnswerEvidence.mayBeOfAPI(status: Int(head.status.code)) else { return false }
        return body.withUnsafeReadableBytes { bytes in
            field.withUTF8Buffer { bytes.offset(of: UnsafeRawBufferPointer($0), from: 0) != nil }
        }
    }

    private func fail(_ violation: Violation, _ context: ChannelHandlerContext) {
        state = .closed
        context.fireErrorCaught(violation)
        context.close(promise: nil)
    }

    private func close(_ context: ChannelHandlerContext) {
        state = .closed
        context.close(promise: nil)
    }
}
