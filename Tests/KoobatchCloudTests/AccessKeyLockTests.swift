import KoobatchCore
import Logging
import Testing

@testable import KoobatchCloud

/// The API locks an access key for five minutes after more than five refusals in a row.
@Suite
struct AccessKeyLockTests {
    private static let refusal = ServiceFailure(
        .unauthenticated,
        httpStatus: 401,
        errorCode: "APIGW.0301",
        message: "verify aksk signature fail"
    )

    private static func signer(_ file: ScratchFile) -> RequestSigner {
        RequestSigner(
            AccessKey(id: "AK", secretKeyFile: file.path, projectID: nil),
            host: "koophone.example.com",
            logger: Logger(label: "signer") { _ in Silence() },
            now: WallClock.now
        )
    }

    @Test
    func `The fifth refusal in a row and those after it ask for a pause as long as the lock`() throws {
        let signer = Self.signer(try ScratchFile("secret"))
        for _ in 1...4 { #expect(signer.refused("secret", Self.refusal) == Self.refusal) }
        for _ in 5...7 {
            let failure = signer.refused("secret", Self.refusal)
            #expect(failure.retryAfter == .seconds(300))
            #expect(failure.outcome == .unauthenticated)
            #expect(failure.message == Self.refusal.message)
        }
    }

    @Test
    func `Refusals of an earlier daemon count, so that the next one asks for the pause`() throws {
        let signer = Self.signer(try ScratchFile("secret"))
        signer.wasRefusedBefore()
        #expect(signer.refused("secret", Self.refusal).retryAfter == .seconds(300))
    }

    @Test
    func `An acceptance begins the row anew`() throws {
        let signer = Self.signer(try ScratchFile("secret"))
        for _ in 1...4 { _ = signer.refused("secret", Self.refusal) }
        signer.accepted()
        for _ in 1...4 { #expect(signer.refused("secret", Self.refusal).retryAfter == nil) }
        #expect(signer.refused("secret", Self.refusal).retryAfter != nil)
    }
}
