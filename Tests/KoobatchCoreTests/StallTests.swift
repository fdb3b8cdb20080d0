import KoobatchCore
import Testing

@Suite("Stalls")
struct StallTests {
    private static let limit = Duration.seconds(30)

    private static func find(
        _ stages: [ProgressReport.Stage],
        call: Duration? = nil,
        locked: Duration? = nil
    ) -> Stall? {
        Stall.find(in: ProgressReport(stages: stages, databaseCall: call, databaseLocked: locked), limit: limit)
    }

    private static func stage(
        _ phase: ProgressReport.Phase,
        _ elapsed: Int64,
        due: Int64? = nil
    ) -> ProgressReport.Stage {
        .init(name: "submitter", phase: phase, elapsed: .seconds(elapsed), workDueFor: due.map { .seconds($0) })
    }

    @Test(
        "are not seen where nothing is to be done, or it is being done, or it cannot be done",
        arguments: [
            stage(.waiting(atMost: nil), 100_000),
            stage(.waiting(atMost: nil), 30, due: 100_000),
            stage(.waiting(atMost: nil), 100_000, due: 30),
            stage(.waiting(atMost: .seconds(20)), 50),
            stage(.working, 30),
            stage(.ended, 100_000, due: 100_000),
        ]
    )
    func none(_ stage: ProgressReport.Stage) {
        #expect(Self.find([stage]) == nil)
    }

    @Test(
        "are seen in a turn that does not end, a sleep that lasts too long, and work that nobody wakes the stage for",
        arguments: [
            (stage(.working, 31), .turn(stage: "submitter", .seconds(31))),
            (stage(.waiting(atMost: .seconds(20)), 51), .overslept(stage: "submitter", .seconds(31))),
            (stage(.waiting(atMost: .zero), 31), .overslept(stage: "submitter", .seconds(31))),
            (stage(.waiting(atMost: nil), 40, due: 31), .notWoken(stage: "submitter", .seconds(31))),
            (stage(.waiting(atMost: nil), 31, due: 40), .notWoken(stage: "submitter", .seconds(31))),
        ] as [(ProgressReport.Stage, Stall)]
    )
    func seen(_ stage: ProgressReport.Stage, _ stall: Stall) {
        #expect(Self.find([.init(name: "planner", phase: .working, elapsed: .zero), stage]) == stall)
        #expect("\(stall)".contains("submitter") && "\(stall)".contains("31 seconds"))
    }

    @Test("are not seen in turns that wait for a lock which another process keeps")
    func locked() {
        #expect(Self.find([Self.stage(.working, 500)], call: .seconds(5), locked: .seconds(30)) == nil)
        #expect(Self.find([Self.stage(.working, 500)], call: .seconds(5), locked: .seconds(31)) != nil)
    }

    @Test("name a call of the database that does not return before the stages that wait for it")
    func call() {
        let stages = [Self.stage(.working, 40)]
        #expect(Self.find(stages, call: .seconds(31)) == .databaseCall(.seconds(31)))
        #expect(Self.find(stages, call: .seconds(30)) == .turn(stage: "submitter", .seconds(40)))
    }
}
