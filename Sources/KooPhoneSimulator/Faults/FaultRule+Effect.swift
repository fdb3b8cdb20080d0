import HTTPTypes
import NIOCore

extension FaultRule {
    /// Whether the request is carried out although its answer suffers.
    var acts: Bool {
        switch kind {
        case .status, .error, .dropBefore: false
        case .hang: acted ?? false
        default: true
        }
    }

    /// The answer of a rule that refuses.
    var refusal: Refusal {
        let status = kind == .error ? 200 : self.status ?? (kind == .statusAfter ? 504 : 500)
        let usual = Self.usualError(status)
        return Refusal(
            status: status,
            code: errorCode ?? usual.code,
            message: errorMessage ?? usual.message,
            retryAfter: retryAfter,
            body: body
        )
    }

    private static func usualError(_ status: Int) -> (code: String, message: String) {
        switch status {
        case 200: ("KOOPHONE.API.2005", "instance is in recovery")
        case 401: ("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail")
        case 403: ("APIGW.0302", "The IAM user is not authorized to access the API")
        case 404: ("APIGW.0101", "The API does not exist or has not been published in the environment")
        case 413: ("APIGW.0201", "Request entity too large")
        case 429: ("APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit")
        case 502: ("APIGW.0202", "Backend unavailable")
        case 503: ("APIGW.0203", "Backend unavailable")
        case 504: ("APIGW.0204", "Backend timeout")
        case 500...: ("KOOPHONE.API.9999", "internal error")
        default: ("KOOPHONE.API.1000", "request parameter error")
        }
    }

    /// Does to a finished answer what happens to it on the way.
    func distort(_ answer: inout Answer) {
        switch kind {
        case .statusAfter:
            answer = refusal.answer
        case .hang:
            answer.delivery = .hung
        case .dropBefore, .dropAfter:
            answer.delivery = .dropped
        case .truncated:
            answer.delivery = .truncated
        case .malformed:
            answer.fields[.contentType] = "text/html"
            answer.body = ByteBuffer(
                string: body ?? "<html><body><h1>200 OK</h1><p>Your gateway is being upgraded.</p></body></html>"
            )
        case .empty:
            answer.body = ByteBuffer()
        case .encoded:
            let encoding = encoding ?? "gzip"
            answer.fields[.contentEncoding] = encoding
            answer.body = StoredStream.encode(answer.body, as: encoding)
        case .status, .error, .delay, .missingMappings, .extraMappings, .duplicateMappings, .longIDs, .numberCode,
            .crossed,
            .contradicted:
            break
        }
    }
}
