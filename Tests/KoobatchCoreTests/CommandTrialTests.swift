import KoobatchCore
import Testing

@Suite("Command trial")
struct CommandTrialTests {
    private static let refusal = ServiceFailure(.refused, httpStatus: 400, errorCode: "C", message: "m")
    private static let throttled = ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "m")
    private static let later = SubmissionDecision.retry(at: Timestamp(millisecondsSinceEpoch: 0), charged: true)

    private func next(
        _ trial: CommandTrial,
        _ failure: ServiceFailure = refusal,
        _ decision: SubmissionDecision = .fail(instances: .rejected),
        code: String? = "C",
        open: Int = 0,
        samples: Int = 6,
        refused: Int = 6,
        unsent: Int = 5,
        inFlight: Int = 0,
        isCanary: Bool = false
    ) -> CommandTrial {
        trial.next(after: failure, decision) {
            .init(
                code: code,
                open: open,
                samples: samples,
                refusedSamples: refused,
                unsent: unsent,
                inFlight: inFlight,
                isCanary: isCanary
            )
        }
    }

    @Test("divides the first chunk that is refused because of something in it")
    func begins() {
        #expect(next(.starting, Self.refusal, .split) == .dividing)
    }

    @Test(
        "learns nothing before from a chunk that has another end",
        arguments: [.hold, .cancel, .fail(instances: .failed), later] as [SubmissionDecision]
    )
    func starting(_ decision: SubmissionDecision) {
        #expect(next(.starting, Self.refusal, decision) == .starting)
    }

    @Test("needs no dividing where a chunk has one instance")
    func single() {
        #expect(next(.starting) == .sampling)
        #expect(next(.starting, unsent: 0) == .passed)
        #expect(next(.starting, isCanary: true) == .passed)
    }

    @Test(
        "blames no command for a code that is one of instances",
        arguments: [1001, 1002, 1012, 2004, 2005, 2006].map { "KOOPHONE.API.\($0)" },
        [.split, .fail(instances: .rejected)] as [SubmissionDecision]
    )
    func instanceCode(_ code: String, _ decision: SubmissionDecision) {
        let refusal = ServiceFailure(.refused, httpStatus: 200, errorCode: code, message: "m")
        for trial in [CommandTrial.starting, .dividing, .sampling] {
            #expect(next(trial, refusal, decision, code: code) == .passed)
        }
    }

    @Test(
        "asks for as much evidence where chunks are small",
        arguments: [(1, 35), (2, 34), (31, 5), (32, 4), (100, 4)]
    )
    func evidence(_ size: Int, _ samples: Int) {
        #expect(CommandTrial.samples(afterDividing: size) == samples)
    }

    @Test("waits for every part of the divided chunk, and for every sample")
    func open() {
        #expect(next(.dividing, Self.refusal, .split, open: 1) == .dividing)
        #expect(next(.dividing, open: 3) == .dividing)
        #expect(next(.sampling, open: 1) == .sampling)
    }

    @Test("tries single instances from elsewhere before it blames the command")
    func samples() {
        #expect(next(.dividing, samples: 0, refused: 0) == .sampling)
        #expect(next(.sampling) == .refused)
        #expect(next(.sampling, refused: 5) == .passed)
    }

    @Test("blames the command of a job that has nothing else to try")
    func small() {
        #expect(next(.dividing, samples: 0, refused: 0, unsent: 0) == .refused)
        #expect(next(.dividing, samples: 0, refused: 0, unsent: 0, inFlight: 1) == .dividing)
    }

    @Test("waits for what is in flight before it blames the command")
    func inFlight() {
        #expect(next(.sampling, inFlight: 1) == .sampling)
    }

    @Test("passes when the refusals differ", arguments: [nil, "D"])
    func differs(_ code: String?) {
        #expect(next(.dividing, code: code) == .passed)
        #expect(next(.sampling, Self.refusal, .split, code: code) == .passed)
    }

    @Test(
        "passes when a part or a sample has an end that is no refusal for good",
        arguments: [.hold, .cancel, .fail(instances: .unknown), later] as [SubmissionDecision],
        [CommandTrial.dividing, .sampling]
    )
    func otherEnd(_ decision: SubmissionDecision, _ trial: CommandTrial) {
        #expect(next(trial, Self.refusal, decision) == .passed)
    }

    @Test("goes on when the API has no time for a part", arguments: [CommandTrial.dividing, .sampling])
    func throttled(_ trial: CommandTrial) {
        #expect(next(trial, Self.throttled, Self.later) == trial)
    }

    @Test("leaves a canary to its own rule")
    func canary() {
        #expect(next(.dividing, isCanary: true) == .passed)
    }

    @Test("is over once it has a verdict", arguments: [CommandTrial.passed, .refused])
    func verdict(_ trial: CommandTrial) {
        #expect(next(trial, Self.refusal, .split) == trial)
    }
}
