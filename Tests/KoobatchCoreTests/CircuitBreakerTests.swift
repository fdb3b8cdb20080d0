import KoobatchCore
import Testing

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private var circuit = CircuitBreaker(base: .seconds(1), maximum: .seconds(60))

    @Test("lets everything pass while it is closed")
    mutating func open() {
        #expect(circuit.allowance(of: 32, at: Self.now) == 32)
        circuit.started(32)
        #expect(circuit.phase == .closed)
        #expect(circuit.openUntil == nil)
    }

    @Test(
        "lets nothing pass while it is closed, then one probe",
        arguments: [CircuitBreaker.Reason.throttled, .credentials, .refusal]
    )
    func closed(_ reason: CircuitBreaker.Reason) {
        var circuit = circuit
        circuit.trip(reason, asked: nil, at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(1))
        #expect(circuit.allowance(of: 32, at: Self.now + .milliseconds(999)) == 0)
        #expect(circuit.allowance(of: 32, at: Self.now + .seconds(1)) == 1)
        #expect(circuit.allowance(of: 0, at: Self.now + .seconds(1)) == 0)
        circuit.started(0)
        #expect(circuit.openUntil != nil)
        circuit.started(1)
        #expect(circuit.phase == .halfOpen(reason: reason))
        #expect(circuit.allowance(of: 32, at: Self.now + .seconds(100)) == 0)
        circuit.passed()
        #expect(circuit.phase == .closed)
        #expect(circuit.openings == 0)
    }

    @Test(
        "doubles its pause with every probe that fails, up to the maximum",
        arguments: [(1, 1), (2, 2), (5, 16), (7, 60), (100, 60)]
    )
    func growing(_ openings: Int, _ seconds: Int) {
        var circuit = circuit
        for _ in 0..<openings {
            circuit.started(1)
            circuit.trip(.refusal, asked: nil, at: Self.now)
        }
        #expect(circuit.openings == openings)
        #expect(circuit.openUntil == Self.now + .seconds(seconds))
    }

    @Test("is not open for longer by answers to what was sent before it opened")
    mutating func stragglers() {
        circuit.trip(.refusal, asked: nil, at: Self.now)
        for _ in 0..<31 { circuit.trip(.throttled, asked: nil, at: Self.now + .milliseconds(500)) }
        #expect(circuit.openings == 1)
        #expect(circuit.phase == .open(until: Self.now + .seconds(1), reason: .refusal))
    }

    @Test("is not closed by the acceptance of what was sent before it opened")
    mutating func acceptedStraggler() {
        circuit.trip(.credentials, asked: nil, at: Self.now)
        circuit.passed()
        #expect(circuit.phase == .open(until: Self.now + .seconds(1), reason: .credentials))
        circuit.started(1)
        circuit.passed()
        #expect(circuit.phase == .closed)
    }

    @Test("waits as long as the API asks, within the maximum", arguments: [(10, 10), (60, 60), (3_600, 60), (0, 1)])
    func asked(_ asked: Int, _ kept: Int) {
        var circuit = circuit
        circuit.trip(.throttled, asked: .seconds(asked), at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(kept))
    }

    @Test("is open for longer, never shorter, by a straggler that asks for it")
    mutating func askedByStraggler() {
        circuit.trip(.throttled, asked: .seconds(10), at: Self.now)
        circuit.trip(.throttled, asked: .seconds(2), at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(10))
        circuit.trip(.throttled, asked: .seconds(30), at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(30))
    }

    @Test("sends the next probe at once when one told nothing")
    mutating func lostProbe() {
        circuit.trip(.credentials, asked: nil, at: Self.now)
        circuit.started(1)
        circuit.probeWasLost(at: Self.now + .seconds(5))
        #expect(circuit.phase == .open(until: Self.now + .seconds(5), reason: .credentials))
        #expect(circuit.allowance(of: 4, at: Self.now + .seconds(5)) == 1)
        circuit.started(1)
        circuit.passed()
        circuit.probeWasLost(at: Self.now)
        #expect(circuit.phase == .closed)
    }

    @Test("opens after a few failures of the endpoint in a row, and not while anything passes between them")
    mutating func endpoint() {
        for _ in 1..<CircuitBreaker.failuresToOpen { circuit.failed(at: Self.now) }
        #expect(circuit.phase == .closed)
        circuit.passed()
        for _ in 1..<CircuitBreaker.failuresToOpen { circuit.failed(at: Self.now) }
        #expect(circuit.phase == .closed)
        #expect(!circuit.isEndpointFailing)
        circuit.failed(at: Self.now)
        #expect(circuit.phase == .open(until: Self.now + .seconds(1), reason: .endpoint))
        #expect(circuit.isEndpointFailing)
        circuit.failed(at: Self.now)
        #expect(circuit.openings == 1)
    }

    @Test(
        "probes a failing endpoint at least every eight seconds",
        arguments: [(1, 1), (2, 2), (4, 8), (5, 8), (20, 8)]
    )
    func endpointPause(_ openings: Int, _ seconds: Int) {
        var circuit = circuit
        for _ in 0..<CircuitBreaker.failuresToOpen { circuit.failed(at: Self.now) }
        for _ in 1..<openings {
            circuit.started(1)
            #expect(circuit.isProbing)
            circuit.failed(at: Self.now)
        }
        #expect(circuit.openUntil == Self.now + .seconds(seconds))
    }

    @Test("opens with the first failure of the endpoint that asks for a pause, for as long as that asks")
    mutating func endpointAsks() {
        circuit.failed(asked: .seconds(40), at: Self.now)
        #expect(circuit.phase == .open(until: Self.now + .seconds(40), reason: .endpoint))
        circuit.failed(asked: .seconds(50), at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(50))
        circuit.failed(at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(50))
    }

    @Test("takes other pauses from the next opening on")
    func otherPauses() {
        var circuit = circuit
        circuit.trip(.credentials, asked: nil, at: Self.now)
        circuit.change(base: .seconds(7), maximum: .seconds(60))
        #expect(circuit.openUntil == Self.now + .seconds(1))
        circuit.started(1)
        circuit.passed()
        circuit.trip(.credentials, asked: nil, at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(7))
    }

    @Test("begins with a probe that may go at once where an earlier daemon left it open")
    func remembered() {
        var circuit = CircuitBreaker(base: .seconds(1), maximum: .seconds(60), openFor: .credentials, at: Self.now)
        #expect(circuit.allowance(of: 32, at: Self.now) == 1)
        #expect(!circuit.hasPassed)
        circuit.started(1)
        circuit.trip(.credentials, asked: nil, at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(2))
    }

    private static var unproven: CircuitBreaker {
        CircuitBreaker(base: .seconds(1), maximum: .seconds(60), openFor: .unproven, at: now)
    }

    @Test("begins with one request at a time, until one has passed")
    func begins() {
        var circuit = Self.unproven
        for _ in 1..<CircuitBreaker.failuresToOpen {
            #expect(circuit.allowance(of: 32, at: Self.now) == 1)
            circuit.started(1)
            #expect(circuit.allowance(of: 32, at: Self.now) == 0)
            circuit.failed(at: Self.now)
            #expect(!circuit.isEndpointFailing)
        }
        circuit.started(1)
        circuit.passed()
        #expect(circuit.allowance(of: 32, at: Self.now) == 32)
    }

    @Test("takes the endpoint for failing after as many failures as ever, though nothing has passed yet")
    func failsFromTheBeginning() {
        var circuit = Self.unproven
        for _ in 0..<CircuitBreaker.failuresToOpen {
            circuit.started(1)
            circuit.failed(at: Self.now)
        }
        #expect(circuit.phase == .open(until: Self.now + .seconds(1), reason: .endpoint))
    }

    @Test("is open with the first pause where the first request finds the credentials refused")
    func refusedFromTheBeginning() {
        var circuit = Self.unproven
        circuit.trip(.credentials, asked: nil, at: Self.now)
        #expect(circuit.phase == .open(until: Self.now + .seconds(1), reason: .credentials))
    }

    @Test("tries new credentials at once, and its pauses grow anew")
    mutating func newCredentials() {
        for _ in 0..<5 {
            circuit.trip(.credentials, asked: nil, at: Self.now)
            circuit.started(1)
        }
        circuit.trip(.credentials, asked: nil, at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(32))
        circuit.credentialsChanged(at: Self.now)
        #expect(circuit.allowance(of: 32, at: Self.now) == 1)
        circuit.started(1)
        circuit.trip(.credentials, asked: nil, at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(1))
    }

    @Test(
        "does not care for new credentials where they are not the matter",
        arguments: [CircuitBreaker.Reason.throttled, .endpoint]
    )
    func newCredentialsElsewhere(reason: CircuitBreaker.Reason) {
        var circuit = circuit
        circuit.trip(reason, asked: nil, at: Self.now)
        circuit.credentialsChanged(at: Self.now)
        #expect(circuit.openUntil == Self.now + .seconds(1))
    }

    @Test("keeps the length of a pause when the clock is set back, and never one longer than the longest")
    mutating func setBack() {
        circuit.trip(.throttled, asked: .seconds(30), at: Self.now)
        circuit.followClock(to: Self.now + .seconds(10))
        circuit.followClock(to: Self.now + .seconds(-31_536_000))
        #expect(circuit.openUntil == Self.now + .seconds(-31_536_000 + 20))
        circuit.followClock(to: Self.now + .seconds(-31_536_000 + 19))
        #expect(circuit.allowance(of: 5, at: Self.now + .seconds(-31_536_000 + 20)) == 1)
        // Without a look in between nobody knows how long it has lasted.
        var other = CircuitBreaker(base: .seconds(1), maximum: .seconds(60), openFor: .throttled, at: Self.now)
        other.followClock(to: Self.now + .seconds(-3_600))
        #expect(other.openUntil == Self.now + .seconds(-3_600 + 60))
    }
}
