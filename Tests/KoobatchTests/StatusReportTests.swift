import KoobatchCore
import KoobatchStore
import Testing

@testable import koobatch

@Suite("The status line")
struct StatusReportTests {
    private static let activity = Store.Activity(runningJobs: 2, waitingChunks: 30, inFlightChunks: 4, heldChunks: 1)
    private static let counts = "2 jobs running; chunks: 30 waiting, 4 in flight, 1 held; "

    @Test("tells how fast it goes")
    func busy() {
        let text = StatusReport.text(Self.activity, rate: 960.6, pause: nil)
        #expect(text == Self.counts + "961 instances submitted a second")
    }

    @Test(
        "tells why requests pause, and until when where that is known",
        arguments: [
            (.throttled, "the API asked for it"), (.credentials, "the API refuses the credentials"),
            (.refusal, "the API refuses everything"), (.endpoint, "the API fails"),
        ] as [(CircuitBreaker.Reason, String)]
    )
    func pause(_ reason: CircuitBreaker.Reason, _ words: String) {
        let until = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
        #expect(
            StatusReport.text(Self.activity, rate: 0, pause: (reason, until))
                == Self.counts + "circuit open, requests paused until 2027-01-15T08:00:00.000Z: \(words)"
        )
        #expect(
            StatusReport.text(Self.activity, rate: 0, pause: (reason, nil)).hasSuffix(
                "circuit open, requests paused: \(words)"
            )
        )
    }

    @Test("is idle where nothing is to be done")
    func idle() {
        #expect(StatusReport.text(.none, rate: 0, pause: (.endpoint, nil)) == "Idle")
    }
}
