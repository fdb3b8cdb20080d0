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
        openParts: Int = 0,
        refused: Int = CommandTrial.sample,
        chunks: Int = CommandTrial.sample,
        unsent: Int = 5,
        inFlight: Int = 0,
        isCanary: Bool = false
    ) -> CommandTrial {
        trial.next(after: failure, decision) {
            .init(
                code: code,
                openParts: openParts,
                refused: refused,
                chunks: chunks,
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
        arguments: [.hold, .cancel, .fail(instances: .failed), .fail(instances: .rejected), later]
            as [SubmissionDecision]
    )
    func starting(_ decision: SubmissionDecision) {
        #expect(next(.starting, Self.refusal, decision) == .starting)
    }

    @Test("waits for every part of the divided chunk")
    func openParts() {
        #expect(next(.dividing, Self.refusal, .split, openParts: 1) == .dividing)
        #expect(next(.dividing, openParts: 3) == .dividing)
    }

    @Test("tries chunks from elsewhere before it blames the command")
    func samples() {
        #expect(next(.dividing, refused: 4) == .sampling)
        #expect(next(.sampling, Self.refusal, .split, refused: 6) == .sampling)
        #expect(next(.sampling, Self.refusal, .split, refused: 7) == .refused)
    }

    @Test("blames the command of a job that has fewer chunks when all of them are refused")
    func small() {
        #expect(next(.dividing, refused: 1, chunks: 1, unsent: 0) == .refused)
        #expect(next(.dividing, refused: 2, chunks: 3, unsent: 1) == .sampling)
        #expect(next(.dividing, refused: 2, chunks: 3, unsent: 0) == .passed)
    }

    @Test("waits for what is in flight before it blames the command")
    func inFlight() {
        #expect(next(.sampling, Self.refusal, .split, inFlight: 1) == .sampling)
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
