import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine

/// Random histories of the gate, held against a model that knows the rules and nothing of how they are kept.
@Suite("Histories of the gate")
struct GateModelTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    /// A request that is out.
    private struct Flight {
        let isProbe: Bool
    }

    /// What an answer can be.
    private enum Event: CaseIterable {
        case accepted
        case refused
        case refusedCredentials
        case refusedEverything
        case throttled
        case badGateway
        case page
        case askedToWait
        case notSent

        func failure(_ seconds: Int64) -> ServiceFailure? {
            switch self {
            case .accepted: nil
            case .refused: ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1", message: "m")
            case .refusedCredentials:
                ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "APIGW.0301", message: "m")
            case .refusedEverything: ServiceFailure(.refused, httpStatus: 403, errorCode: "APIGW.0999", message: "m")
            case .throttled:
                ServiceFailure(
                    .throttled,
                    httpStatus: 429,
                    errorCode: "APIGW.0308",
                    message: "m",
                    retryAfter: .seconds(seconds)
                )
            case .badGateway: ServiceFailure(.unknown, httpStatus: 502, errorCode: "koobatch.http.502", message: "m")
            case .page:
                ServiceFailure(
                    .refused,
                    httpStatus: 404,
                    errorCode: "koobatch.http.404",
                    message: "m",
                    endpointFault: .certain
                )
            case .askedToWait:
                ServiceFailure(
                    .refused,
                    httpStatus: 503,
                    errorCode: "koobatch.http.503",
                    message: "m",
                    retryAfter: .seconds(seconds),
                    endpointFault: .suspected
                )
            case .notSent:
                ServiceFailure(.notSent, errorCode: ServiceFailure.Code.interrupted, message: "m")
            }
        }
    }

    @Test("never send what the model forbids, and always come to a time at which a request may go", arguments: 1...40)
    func history(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var now = Self.start
        let bed = try await GateBed(at: now)
        var model = GateModel(at: now)
        var out: [Flight] = []
        var steps: [String] = []
        for _ in 0..<150 {
            let step = Int.random(in: 0..<10, using: &generator)
            switch step {
            case 0..<4:
                let wanted = Int.random(in: 0...8, using: &generator)
                let drawer = RateLimit.Drawer.allCases.randomElement(using: &generator) ?? .poll
                let allowed = model.allowance(of: wanted, at: now, hasNewCredentials: bed.service.hasNewCredentials)
                let admission = bed.gate.admit(wanted, for: drawer, at: now)
                // Nothing to probe with after all, now and then.
                let count = Int.random(in: 0..<5, using: &generator) == 0 ? 0 : admission.places
                bed.gate.started(count, of: admission, by: drawer, at: now)
                steps.append("\(now) admit \(wanted): \(admission.places) of \(allowed), \(count) started")
                #expect(admission.places <= allowed, "seed \(seed): \(steps.suffix(12))")
                #expect(
                    admission.isProbe == (model.isOpen && admission.places > 0),
                    "seed \(seed): \(steps.suffix(12))"
                )
                model.started(admission.places, of: count, at: now)
                out += (0..<count).map { _ in Flight(isProbe: admission.isProbe) }
            case 4..<8 where !out.isEmpty:
                let flight = out.remove(at: Int.random(in: out.indices, using: &generator))
                let event = Event.allCases.randomElement(using: &generator) ?? .accepted
                let failure = event.failure(Int64.random(in: 1...90, using: &generator))
                steps.append("\(now) \(event)\(flight.isProbe ? " of the probe" : "")")
                try await bed.take(failure, isProbe: flight.isProbe, at: now)
                model.answered(failure, isEverything: event == .refusedEverything, isProbe: flight.isProbe, at: now)
            case 8:
                bed.service.setNewCredentials(Bool.random(using: &generator))
            default:
                now = now + .milliseconds(Int64.random(in: 1...20_000, using: &generator))
            }
            #expect(bed.gate.pause?.reason == model.reason, "seed \(seed): \(steps.suffix(12))")
            #expect(bed.gate.pause?.until == model.until, "seed \(seed): \(steps.suffix(12))")
        }
        // Whatever has happened: what is out is lost, and then the next probe may go within the longest pause.
        for flight in out {
            try await bed.take(Event.notSent.failure(0), isProbe: flight.isProbe, at: now)
        }
        now = now + .seconds(60)
        #expect(bed.gate.admit(1, for: .submission, at: now).places == 1, "seed \(seed): \(steps.suffix(12))")
    }

    @Test("keep to the rate of the operator in every second, whoever draws", arguments: 1...20)
    func ceiling(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var now = Self.start
        let rate = Double(Int.random(in: 1...40, using: &generator))
        let bed = try await GateBed(ceiling: rate, at: now)
        let first = bed.gate.admit(1, for: .submission, at: now)
        bed.gate.started(first.places, of: first, by: .submission, at: now)
        try await bed.take(nil, isProbe: true, at: now)
        var sent: [Timestamp] = [now]
        for _ in 0..<400 {
            let drawer = RateLimit.Drawer.allCases.randomElement(using: &generator) ?? .poll
            let admission = bed.gate.admit(Int.random(in: 0...9, using: &generator), for: drawer, at: now)
            bed.gate.started(admission.places, of: admission, by: drawer, at: now)
            sent += repeatElement(now, count: admission.places)
            if Int.random(in: 0..<20, using: &generator) == 0 {
                try await bed.take(
                    ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "m"),
                    at: now
                )
            }
            let learned = try #require(bed.gate.requestsPerSecond)
            #expect(learned <= rate && learned >= 0.1, "seed \(seed)")
            let lastSecond = sent.count { now - $0 < .seconds(1) }
            #expect(Double(lastSecond) <= rate + 2 + rate / 20, "seed \(seed), rate \(rate)")
            now = now + .milliseconds(Int64.random(in: 1...400, using: &generator))
        }
        #expect(sent.count > 10, "seed \(seed)")
    }
}

/// The rules of the circuit, as the documentation has them.
private struct GateModel {
    private enum Phase: Equatable {
        case flowing
        case paused(until: Timestamp)
        case probing
    }

    private var phase: Phase
    private(set) var reason: CircuitBreaker.Reason?
    private var failuresInARow = 0
    private var pausesInARow = 0

    /// A daemon begins with one request.
    init(at now: Timestamp) {
        phase = .paused(until: now)
        reason = .unproven
    }

    var isOpen: Bool { reason != nil }

    var until: Timestamp? {
        if case .paused(let until) = phase { until } else { nil }
    }

    /// The most that may start.
    mutating func allowance(of wanted: Int, at now: Timestamp, hasNewCredentials: Bool) -> Int {
        if case .paused(let until) = phase {
            // No pause is longer than the longest.
            phase = .paused(until: min(until, now + .seconds(60)))
            if reason == .credentials, hasNewCredentials, wanted > 0 {
                phase = .paused(until: now)
                pausesInARow = 0
            }
        }
        return switch phase {
        case .flowing: wanted
        case .paused(let until): now >= until ? min(1, wanted) : 0
        case .probing: 0
        }
    }

    mutating func started(_ admitted: Int, of count: Int, at now: Timestamp) {
        guard admitted > 0, case .paused = phase else { return }
        // A probe that was none leaves the place to the next.
        phase = count > 0 ? .probing : .paused(until: now)
    }

    mutating func answered(_ failure: ServiceFailure?, isEverything: Bool, isProbe: Bool, at now: Timestamp) {
        // While a probe is out nobody else is heard.
        if phase == .probing, !isProbe { return }
        guard let failure else { return passed() }
        switch failure.outcome {
        case .throttled: pause(.throttled, failure.retryAfter, at: now)
        case .unauthenticated: pause(.credentials, failure.retryAfter, at: now)
        case .refused where isEverything: pause(.refusal, failure.retryAfter, at: now)
        case _ where failure.endpointFault != .none:
            failuresInARow += 1
            let isEnough = failuresInARow >= 8 || failure.endpointFault == .certain || failure.retryAfter != nil
            switch phase {
            case .flowing: if isEnough { pause(.endpoint, failure.retryAfter, at: now) }
            case .probing:
                if reason == .unproven, !isEnough {
                    phase = .paused(until: now)
                } else {
                    pause(.endpoint, failure.retryAfter, at: now)
                }
            case .paused: if failure.retryAfter != nil { pause(.endpoint, failure.retryAfter, at: now) }
            }
        case .refused: passed()
        case .notSent, .unknown: if phase == .probing { phase = .paused(until: now) }
        }
    }

    private mutating func passed() {
        failuresInARow = 0
        // Of a request that was sent before the pause.
        if case .paused = phase, reason != .unproven { return }
        (phase, reason, pausesInARow) = (.flowing, nil, 0)
    }

    private mutating func pause(_ why: CircuitBreaker.Reason, _ asked: Duration?, at now: Timestamp) {
        let asked = asked.map { now + min($0, .seconds(60)) }
        if case .paused(let until) = phase, reason != .unproven {
            phase = .paused(until: max(until, asked ?? until))
            return
        }
        pausesInARow += 1
        // One second, two, four, and so on; eight at the most while the endpoint fails.
        let grown = Duration.seconds(min(60, 1 << min(pausesInARow - 1, 10)))
        let length = why == .endpoint ? min(grown, .seconds(8)) : grown
        phase = .paused(until: max(now + length, asked ?? now))
        reason = why
    }
}
