import HTTPTypes
import NIOCore

/// An answer that says no.
struct Refusal: Error, Equatable {
    let status: Int
    let code: String
    let message: String
    var retryAfter: String?
    var body: String?

    /// Whether the gateway in front of the service refuses, which names the request in its answer.
    private var isGateway: Bool {
        code.hasPrefix("APIG")
    }

    init(status: Int, code: String, message: String, retryAfter: String? = nil, body: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.body = body
    }

    var answer: Answer {
        var buffer = ByteBuffer()
        if let body {
            buffer.writeString(body)
        } else {
            buffer.writeStaticString(#"{"error_code":""#)
            buffer.writeEscaped(code)
            buffer.writeStaticString(#"","error_msg":""#)
            buffer.writeEscaped(message)
            if isGateway {
                buffer.writeStaticString(#"","request_id":""#)
                buffer.writeIdentifier(.random)
            }
            buffer.writeStaticString(#""}"#)
        }
        var answer = Answer(status: HTTPResponse.Status(code: status), body: buffer)
        if let retryAfter {
            answer.fields[.retryAfter] = retryAfter
        }
        return answer
    }
}

extension Refusal {
    static func parameter(_ message: String) -> Refusal {
        Refusal(status: 400, code: "KOOPHONE.API.1000", message: "request parameter error: \(message)")
    }

    static let header = Refusal(
        status: 200,
        code: "KOOPHONE.API.0005",
        message: "request header is missing: x-request-id"
    )

    static let unknownToken = Refusal(
        status: 401,
        code: "APIGW.0301",
        message: "Incorrect IAM authentication information: decrypt token fail"
    )

    static let expiredToken = Refusal(status: 401, code: "APIGW.0301", message: "The token must be updated")

    static func signature(_ reason: String) -> Refusal {
        Refusal(status: 401, code: "APIGW.0301", message: "Incorrect IAM authentication information: \(reason)")
    }

    static let unknownTask = Refusal(status: 400, code: "KOOPHONE.API.1323", message: "the task does not exist")

    static let unknownPath = Refusal(
        status: 404,
        code: "APIGW.0101",
        message: "The API does not exist or has not been published in the environment"
    )

    static let tooLarge = Refusal(status: 413, code: "APIGW.0201", message: "Request entity too large")

    static func throttled(_ limit: FaultPlan.Limit) -> Refusal {
        Refusal(
            status: 429,
            code: "APIGW.0308",
            message: "The throttling threshold has been reached: policy user over ratelimit"
                + (limit.named ? ",limit:\(limit.perSecond),time:1 second." : ""),
            retryAfter: limit.retryAfter ? "1" : nil
        )
    }
}
