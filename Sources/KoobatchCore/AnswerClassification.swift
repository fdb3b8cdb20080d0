/// Says what an answer of the API that is not an acceptance means for its request.
public enum AnswerClassification {
    private static let throttlingCodes: Set<String> = ["APIGW.0308", "APIG.0308"]

    /// The gateway does not accept the token or the signature, whatever status it says so with.
    private static let credentialCodes: Set<String> = ["APIGW.0301", "APIG.0301"]

    /// An instance problem that the API may answer with 401, although the credentials are fine.
    private static let noPermissionForInstance = "KOOPHONE.API.1001"

    /// Classifies an answer that carries a failure.
    ///
    /// - Parameters:
    ///   - status: of the answer. 200 with a code other than `"0"` is a failure too.
    ///   - code: `error_code` of the body, if it has one.
    ///   - message: `error_msg` of the body, if it has one.
    ///   - retryAfter: of the `Retry-After` header, if there is one that can be read.
    public static func failure(
        status: Int,
        code: String?,
        message: String?,
        retryAfter: Duration?
    ) -> ServiceFailure {
        ServiceFailure(
            outcome(status: status, code: code),
            httpStatus: status,
            errorCode: code ?? "\(ServiceFailure.Code.http).\(status)",
            message: message ?? "HTTP status \(status)",
            retryAfter: retryAfter
        )
    }

    private static func outcome(status: Int, code: String?) -> ServiceFailure.Outcome {
        if let code, throttlingCodes.contains(code) { return .throttled }
        if let code, (400..<500).contains(status), credentialCodes.contains(code) { return .unauthenticated }
        return switch status {
        case 429: .throttled
        case 401: code == noPermissionForInstance ? .refused : .unauthenticated
        case 200..<500, 500, 503: .refused
        // 502, 504: the gateway lost the service behind it, which may have acted. Of others nobody has said what they mean.
        default: .unknown
        }
    }
}
