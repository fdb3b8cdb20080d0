import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore
import ServiceLifecycle

/// An answer, and how much of it reaches the client.
struct Answer: Sendable {
    enum Delivery: Sendable {
        case complete
        /// The head and half of the body, then the connection closes.
        case truncated
        /// The connection closes.
        case dropped
        /// Nothing until the client goes away.
        case hung
    }

    var status: HTTPResponse.Status
    var fields: HTTPFields = [.contentType: "application/json"]
    var body: ByteBuffer
    var delivery = Delivery.complete
    var delay: TimeInterval = 0

    init(status: HTTPResponse.Status = .ok, body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.body = body
    }

    /// Delivers the answer as it is meant to be.
    ///
    /// - Throws: ``ConnectionLost`` when the connection is to be closed; the server closes it on every error.
    consuming func send(through writer: consuming ResponseWriter, on channel: any Channel) async throws {
        if delay > 0 {
            try await cancelWhenGracefulShutdown { [delay] in
                try await Task.sleep(for: .seconds(delay))
            }
        }
        fields[.contentLength] = String(body.readableBytes)
        let head = HTTPResponse(status: status, headerFields: fields)
        switch delivery {
        case .complete:
            try await writer.write(response: head, body: ResponseBody(byteBuffer: body))
        case .truncated:
            var bodyWriter = try await writer.writeHead(head)
            let half = body.readableBytes / 2
            if let part = body.readSlice(length: half) {
                try await bodyWriter.write(part)
            }
            throw ConnectionLost()
        case .dropped:
            throw ConnectionLost()
        case .hung:
            try await cancelWhenGracefulShutdown {
                try await ClientPatience.exhaust(on: channel)
            }
            throw ConnectionLost()
        }
    }
}

/// Makes the server close a connection.
struct ConnectionLost: Error {}
