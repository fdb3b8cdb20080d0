/// The codes of the API that koobatch itself acts upon, beside what `error_policies` says of them; each has its row there.
///
/// Documented with the API's error codes and those of the gateway in front of it (`APIGW`; `APIG` in older regions).
public enum APICode {
    /// The gateway takes no more for now.
    public static let throttled: Set<String> = ["APIGW.0308", "APIG.0308"]
    /// The gateway does not accept the token or the signature, whatever status of 4xx it says so with.
    public static let badCredentials: Set<String> = ["APIGW.0301", "APIG.0301"]
    /// An instance problem that the API may answer with 401, although the credentials are fine.
    public static let noPermissionForInstance = "KOOPHONE.API.1001"
    /// A query names a task that does not exist.
    public static let noSuchTask = "KOOPHONE.API.1323"
}
