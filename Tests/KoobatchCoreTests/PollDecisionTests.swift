import KoobatchCore
import Testing

@Suite("Poll decision")
struct PollDecisionTests {
    private static let schedule = PollSchedule(
        initialDelay: .seconds(1),
        maxDelay: .seconds(60),
        resultTimeout: .seconds(3_600)
    )
    private static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    private static let policies = ErrorPolicies(["GONE": .fail, "BUSY": .retry, "BAD": .split])

    private func decide(
        _ failure: ServiceFailure? = nil,
        unfinished: Int = 3,
        polls: Int = 1,
        age: Duration = .seconds(10),
        deadline: Duration = .seconds(1_000)
    ) -> PollDecision {
        .after(
            failure: failure.map {
                ClassifiedFailure($0, action: Self.policies.action(code: $0.errorCode, httpStatus: $0.httpStatus))
            },
            unfinished: unfinished,
            polls: polls,
            age: age,
            typical: nil,
            deadline: Self.now + deadline,
            schedule: Self.schedule,
            now: Self.now
        )
    }

    @Test(
        "asks again after a share of the age while nothing is known, within bounds",
        arguments: [(0, 1_000), (5, 1_000), (10, 1_500), (100, 15_000), (400, 60_000), (3_000, 60_000)]
    )
    func again(_ age: Int, _ milliseconds: Int) {
        #expect(decide(age: .seconds(age)) == .again(at: Self.now + .milliseconds(milliseconds)))
    }

    @Test("gives up by what the clock is trusted for, and asks until then as seldom as ever")
    func leap() {
        func decide(trusted: Duration) -> PollDecision {
            .after(
                failure: nil,
                unfinished: 1,
                polls: 1,
                age: .seconds(31_536_000),
                typical: nil,
                deadline: Self.now + .seconds(-1_000),
                schedule: Self.schedule,
                trusted: Self.now + trusted,
                now: Self.now
            )
        }
        #expect(decide(trusted: .seconds(-2_000)) == .again(at: Self.now + .seconds(60)))
        #expect(decide(trusted: .seconds(-1_010)) == .again(at: Self.now + .seconds(10)))
        guard case .finish(.some) = decide(trusted: .seconds(-1_000)) else {
            Issue.record("not given up")
            return
        }
    }

    @Test("starts with the initial delay")
    func initial() {
        #expect(Self.schedule.firstDelay(typical: nil, isProbe: true) == .seconds(1))
    }

    @Test("leaves the other tasks of a job alone while a few find out how long it takes")
    func others() {
        #expect(Self.schedule.firstDelay(typical: nil, isProbe: false) == .seconds(240))
    }

    @Test(
        "looks first when results have been there, within bounds",
        arguments: [(0.1, 1), (1, 1), (10, 10), (200, 200), (300, 240), (10_000, 240)]
    )
    func typical(_ typical: Double, _ expected: Int) {
        for isProbe in [true, false] {
            let delay = Self.schedule.firstDelay(typical: .seconds(typical), isProbe: isProbe)
            #expect(delay == .seconds(expected))
        }
    }

    @Test(
        "looks again at the typical age, then after a tenth of it and half as long again each time",
        arguments: [
            (1, 60, 100, 40), (1, 10, 1_000, 240), (1, 100, 100, 10), (2, 110, 100, 15), (7, 300, 100, 60),
            (1, 5, 5, 1),
        ]
    )
    func afterwards(_ looks: Int, _ age: Int, _ typical: Int, _ expected: Int) {
        let delay = Self.schedule.delay(afterLooks: looks, age: .seconds(age), typical: .seconds(typical))
        #expect(delay == .seconds(expected))
    }

    @Test(
        "looks late at one and a half times the age, up to four times the timeout",
        arguments: [(100, 100, 50), (250, 100, 125), (267, 100, nil), (1, 1, 1), (4, 1, nil)] as [(Int, Int, Int?)]
    )
    func late(_ age: Int, _ timeout: Int, _ expected: Int?) {
        let delay = Self.schedule.lateDelay(age: .seconds(age), timeout: .seconds(timeout))
        #expect(delay == expected.map { .seconds($0) })
    }

    @Test("asks a last time at the deadline")
    func lastTime() {
        #expect(decide(age: .seconds(1_000), deadline: .seconds(20)) == .again(at: Self.now + .seconds(20)))
    }

    @Test("gives up at the deadline", arguments: [Duration.zero, .seconds(-1)])
    func deadline(_ deadline: Duration) {
        guard case .finish(let unresolved?) = decide(deadline: deadline) else {
            Issue.record("it goes on")
            return
        }
        #expect(unresolved.errorCode == ServiceFailure.Code.resultTimeout)
        #expect(unresolved.outcome == .unknown)
    }

    @Test(
        "finishes with the last result, even after the deadline and a failure",
        arguments: [Duration.seconds(1), .zero]
    )
    func finished(_ deadline: Duration) {
        let failure = ServiceFailure(.refused, httpStatus: 400, errorCode: "GONE", message: "m")
        #expect(decide(unfinished: 0, deadline: deadline) == .finish(unresolved: nil))
        #expect(decide(failure, unfinished: 0, deadline: deadline) == .finish(unresolved: nil))
    }

    @Test(
        "gives up on a task that has no results to give, and on no other failure",
        arguments: ServiceFailure.Outcome.allCases
    )
    func failures(_ outcome: ServiceFailure.Outcome) {
        let gone = ServiceFailure(outcome, httpStatus: 400, errorCode: "GONE", message: "m")
        let expected: PollDecision =
            outcome == .refused ? .finish(unresolved: gone) : .again(at: Self.now + .milliseconds(1_500))
        #expect(decide(gone) == expected)
        for code in ["BUSY", "BAD", "NEW"] {
            let failure = ServiceFailure(outcome, httpStatus: 400, errorCode: code, message: "m")
            #expect(decide(failure) == .again(at: Self.now + .milliseconds(1_500)))
        }
    }

    @Test("waits as long as the API asks, within the longest delay", arguments: [(10, 10), (60, 60), (3_600, 60)])
    func retryAfter(_ asked: Int, _ kept: Int) {
        let failure = ServiceFailure(.throttled, errorCode: "T", message: "m", retryAfter: .seconds(asked))
        #expect(decide(failure) == .again(at: Self.now + .seconds(kept)))
    }
}
