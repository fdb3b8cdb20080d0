import KoobatchCore
import Testing

@Suite("Line state")
struct LineStateTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private var line = LineState(base: .seconds(1), maximum: .seconds(60))

    @Test("lets everything pass while it is open")
    mutating func open() {
        #expect(line.allowance(of: 32, at: Self.now) == 32)
        line.started(32)
        #expect(line.phase == .open)
        #expect(line.closedUntil == nil)
    }

    @Test(
        "lets nothing pass while it is closed, then one probe",
        arguments: [LineState.Reason.throttled, .credentials, .refusal]
    )
    func closed(_ reason: LineState.Reason) {
        var line = line
        line.close(reason, asked: nil, at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(1))
        #expect(line.allowance(of: 32, at: Self.now + .milliseconds(999)) == 0)
        #expect(line.allowance(of: 32, at: Self.now + .seconds(1)) == 1)
        #expect(line.allowance(of: 0, at: Self.now + .seconds(1)) == 0)
        line.started(0)
        #expect(line.closedUntil != nil)
        line.started(1)
        #expect(line.phase == .probing(reason: reason))
        #expect(line.allowance(of: 32, at: Self.now + .seconds(100)) == 0)
        line.passed()
        #expect(line.phase == .open)
        #expect(line.closings == 0)
    }

    @Test(
        "doubles its pause with every probe that fails, up to the maximum",
        arguments: [(1, 1), (2, 2), (5, 16), (7, 60), (100, 60)]
    )
    func growing(_ closings: Int, _ seconds: Int) {
        var line = line
        for _ in 0..<closings {
            line.started(1)
            line.close(.refusal, asked: nil, at: Self.now)
        }
        #expect(line.closings == closings)
        #expect(line.closedUntil == Self.now + .seconds(seconds))
    }

    @Test("is not closed for longer by answers to what was sent before it closed")
    mutating func stragglers() {
        line.close(.refusal, asked: nil, at: Self.now)
        for _ in 0..<31 { line.close(.throttled, asked: nil, at: Self.now + .milliseconds(500)) }
        #expect(line.closings == 1)
        #expect(line.phase == .closed(until: Self.now + .seconds(1), reason: .refusal))
    }

    @Test("is not opened by the acceptance of what was sent before it closed")
    mutating func acceptedStraggler() {
        line.close(.credentials, asked: nil, at: Self.now)
        line.passed()
        #expect(line.phase == .closed(until: Self.now + .seconds(1), reason: .credentials))
        line.started(1)
        line.passed()
        #expect(line.phase == .open)
    }

    @Test("waits as long as the API asks, within the maximum", arguments: [(10, 10), (60, 60), (3_600, 60), (0, 1)])
    func asked(_ asked: Int, _ kept: Int) {
        var line = line
        line.close(.throttled, asked: .seconds(asked), at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(kept))
    }

    @Test("is closed for longer, never shorter, by a straggler that asks for it")
    mutating func askedByStraggler() {
        line.close(.throttled, asked: .seconds(10), at: Self.now)
        line.close(.throttled, asked: .seconds(2), at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(10))
        line.close(.throttled, asked: .seconds(30), at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(30))
    }

    @Test("sends the next probe at once when one told nothing")
    mutating func lostProbe() {
        line.close(.credentials, asked: nil, at: Self.now)
        line.started(1)
        line.probeWasLost(at: Self.now + .seconds(5))
        #expect(line.phase == .closed(until: Self.now + .seconds(5), reason: .credentials))
        #expect(line.allowance(of: 4, at: Self.now + .seconds(5)) == 1)
        line.started(1)
        line.passed()
        line.probeWasLost(at: Self.now)
        #expect(line.phase == .open)
    }

    @Test("closes after a few failures of the endpoint in a row, and not while anything passes between them")
    mutating func endpoint() {
        for _ in 1..<LineState.failuresToClose { line.failed(at: Self.now) }
        #expect(line.phase == .open)
        line.passed()
        for _ in 1..<LineState.failuresToClose { line.failed(at: Self.now) }
        #expect(line.phase == .open)
        #expect(!line.isEndpointFailing)
        line.failed(at: Self.now)
        #expect(line.phase == .closed(until: Self.now + .seconds(1), reason: .endpoint))
        #expect(line.isEndpointFailing)
        line.failed(at: Self.now)
        #expect(line.closings == 1)
    }

    @Test(
        "probes a failing endpoint at least every eight seconds",
        arguments: [(1, 1), (2, 2), (4, 8), (5, 8), (20, 8)]
    )
    func endpointPause(_ closings: Int, _ seconds: Int) {
        var line = line
        for _ in 0..<LineState.failuresToClose { line.failed(at: Self.now) }
        for _ in 1..<closings {
            line.started(1)
            #expect(line.isProbing)
            line.failed(at: Self.now)
        }
        #expect(line.closedUntil == Self.now + .seconds(seconds))
    }

    @Test("closes with the first failure of the endpoint that asks for a pause, for as long as that asks")
    mutating func endpointAsks() {
        line.failed(asked: .seconds(40), at: Self.now)
        #expect(line.phase == .closed(until: Self.now + .seconds(40), reason: .endpoint))
        line.failed(asked: .seconds(50), at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(50))
        line.failed(at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(50))
    }

    @Test("takes other pauses from the next closing on")
    func otherPauses() {
        var line = line
        line.close(.credentials, asked: nil, at: Self.now)
        line.change(base: .seconds(7), maximum: .seconds(60))
        #expect(line.closedUntil == Self.now + .seconds(1))
        line.started(1)
        line.passed()
        line.close(.credentials, asked: nil, at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(7))
    }

    @Test("begins with a probe that may go at once where an earlier daemon left it closed")
    func remembered() {
        var line = LineState(base: .seconds(1), maximum: .seconds(60), closedFor: .credentials, at: Self.now)
        #expect(line.allowance(of: 32, at: Self.now) == 1)
        #expect(!line.hasPassed)
        line.started(1)
        line.close(.credentials, asked: nil, at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(2))
    }

    private static var unproven: LineState {
        LineState(base: .seconds(1), maximum: .seconds(60), closedFor: .unproven, at: now)
    }

    @Test("begins with one request at a time, until one has passed")
    func begins() {
        var line = Self.unproven
        for _ in 1..<LineState.failuresToClose {
            #expect(line.allowance(of: 32, at: Self.now) == 1)
            line.started(1)
            #expect(line.allowance(of: 32, at: Self.now) == 0)
            line.failed(at: Self.now)
            #expect(!line.isEndpointFailing)
        }
        line.started(1)
        line.passed()
        #expect(line.allowance(of: 32, at: Self.now) == 32)
    }

    @Test("takes the endpoint for failing after as many failures as ever, though nothing has passed yet")
    func failsFromTheBeginning() {
        var line = Self.unproven
        for _ in 0..<LineState.failuresToClose {
            line.started(1)
            line.failed(at: Self.now)
        }
        #expect(line.phase == .closed(until: Self.now + .seconds(1), reason: .endpoint))
    }

    @Test("is closed with the first pause where the first request finds the credentials refused")
    func refusedFromTheBeginning() {
        var line = Self.unproven
        line.close(.credentials, asked: nil, at: Self.now)
        #expect(line.phase == .closed(until: Self.now + .seconds(1), reason: .credentials))
    }

    @Test("tries new credentials at once, and its pauses grow anew")
    mutating func newCredentials() {
        for _ in 0..<5 {
            line.close(.credentials, asked: nil, at: Self.now)
            line.started(1)
        }
        line.close(.credentials, asked: nil, at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(32))
        line.credentialsChanged(at: Self.now)
        #expect(line.allowance(of: 32, at: Self.now) == 1)
        line.started(1)
        line.close(.credentials, asked: nil, at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(1))
    }

    @Test(
        "does not care for new credentials where they are not the matter",
        arguments: [LineState.Reason.throttled, .endpoint]
    )
    func newCredentialsElsewhere(reason: LineState.Reason) {
        var line = line
        line.close(reason, asked: nil, at: Self.now)
        line.credentialsChanged(at: Self.now)
        #expect(line.closedUntil == Self.now + .seconds(1))
    }

    @Test("keeps the length of a pause when the clock is set back, and never one longer than the longest")
    mutating func setBack() {
        line.close(.throttled, asked: .seconds(30), at: Self.now)
        line.followClock(to: Self.now + .seconds(10))
        line.followClock(to: Self.now + .seconds(-31_536_000))
        #expect(line.closedUntil == Self.now + .seconds(-31_536_000 + 20))
        line.followClock(to: Self.now + .seconds(-31_536_000 + 19))
        #expect(line.allowance(of: 5, at: Self.now + .seconds(-31_536_000 + 20)) == 1)
        // Without a look in between nobody knows how long it has lasted.
        var other = LineState(base: .seconds(1), maximum: .seconds(60), closedFor: .throttled, at: Self.now)
        other.followClock(to: Self.now + .seconds(-3_600))
        #expect(other.closedUntil == Self.now + .seconds(-3_600 + 60))
    }
}
