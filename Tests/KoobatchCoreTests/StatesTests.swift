import KoobatchCore
import Testing

@Suite("States")
struct StatesTests {
    @Test(
        "of a command job follow one another as documented, and no other way",
        arguments: [
            (.queued, ["running", "paused", "cancelled", "expired"]),
            (.running, ["paused", "succeeded", "partial", "failed", "cancelled", "expired", "submitted"]),
            (.paused, ["running", "succeeded", "partial", "failed", "cancelled", "expired", "submitted"]),
            (.succeeded, []), (.partial, ["queued", "succeeded"]), (.failed, ["queued", "partial", "succeeded"]),
            (.cancelled, ["queued"]),
            (.expired, ["queued"]), (.submitted, ["queued"]),
        ] as [(CommandJobState, [String])]
    )
    func commandJob(_ state: CommandJobState, _ successors: [String]) {
        expect(state, successors)
    }

    @Test(
        "of a chunk follow one another as documented, and no other way",
        arguments: [
            (.pending, ["submitting", "cancelled"]),
            (.submitting, ["submitted", "pending", "failed", "unknown", "cancelled", "split"]),
            (.submitted, ["finished"]), (.unknown, ["pending", "failed"]), (.finished, []), (.failed, []),
            (.cancelled, []), (.split, []),
        ] as [(ChunkState, [String])]
    )
    func chunk(_ state: ChunkState, _ successors: [String]) {
        expect(state, successors)
    }

    @Test(
        "of an instance follow one another as documented, and no other way",
        arguments: [
            (.pending, ["submitted", "failed", "unknown", "cancelled", "rejected"]),
            (.submitted, ["succeeded", "failed", "unknown"]), (.unknown, ["succeeded", "failed", "pending"]),
            (.succeeded, []), (.failed, []), (.cancelled, []), (.rejected, []),
        ] as [(InstanceState, [String])]
    )
    func instance(_ state: InstanceState, _ successors: [String]) {
        expect(state, successors)
    }

    private func expect<S: LifecycleState>(_ state: S, _ successors: [String]) {
        #expect(Set(state.successors.map(\.rawValue)) == Set(successors))
        #expect(state.isFinal == successors.isEmpty)
    }

    @Test("that send are running and paused alone", arguments: CommandJobState.allCases)
    func sends(_ state: CommandJobState) {
        #expect(state.sends == [.running, .paused].contains(state))
    }
}
