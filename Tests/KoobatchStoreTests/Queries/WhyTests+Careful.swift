/// What a job waits for that is sent with care: the first acceptance, jobs before it on the same instances.
extension WhyTests {
    private static let five =
        "INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"a\",\"b\",\"c\",\"d\",\"e\"]')"
    private static let fourInFlight =
        five + ";\n" + Stages.plan(job: 1, chunks: ["a"], ["b"], ["c"], ["d"])
        + (1...4).map(Stages.claim).joined()

    /// A job of two chunks, of which the second one waits for other jobs.
    private static let oneBlocked = """
        \(insert(["serialize_instances": "1"]));
        \(Stages.plan(job: 1, chunks: ["a", "b"], ["c", "d"]))
        \(Stages.change(2, "UPDATE chunks SET blocked = 1 WHERE id = 2;"))
        """

    static let careful: [Case] = [
        Case(
            "the first acceptance",
            fourInFlight,
            rows: ["1", "", "slow_start", "few chunks are in flight until the API has accepted one", ""]
        ),
        Case(
            "nothing but a place, once a chunk is accepted",
            fourInFlight,
            Stages.accept(1),
            rows: ["1", "", "queued", "queued: all request slots are in use", "now"]
        ),
        Case(
            "a user, because the API refused all that was sent",
            insert(),
            Stages.plan(job: 1, chunks: ["a", "b"], ["c", "d"]),
            Stages.daemon(
                """
                UPDATE command_jobs SET state = 'paused', state_reason = 'refused: the API refused all 64 requests so far';
                UPDATE job_progress SET job_state = 'paused', pause_cause = 'refused';
                """
            ),
            rows: [
                "1", "", "pause",
                "refused: the API refused all 64 requests so far; resume with UPDATE command_jobs SET state = 'running' "
                    + "WHERE id = 1",
                "",
            ]
        ),
        Case(
            "jobs before it on the same instances, where nothing else is left of it",
            oneBlocked,
            Stages.claim(1) + Stages.accept(1) + Stages.finish(1),
            rows: [
                "1", "", "serialize_instances", "chunks whose instances wait for their results in earlier jobs: 1", "",
            ]
        ),
        Case(
            "a place, while other chunks of it can be sent",
            oneBlocked,
            rows: ["1", "", "queued", "queued: all request slots are in use", "now"]
        ),
    ]
}
