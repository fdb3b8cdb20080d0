/// What a job waits for whose results do not come.
extension WhyTests {
    private static let deadline = "2099-01-01T01:00:00.000Z"

    /// The first of two chunks, of which one instance has not ended after as many looks.
    private static func overdue(looks: Int) -> String {
        Stages.plan(job: 1, chunks: ["a", "b"], ["c", "d"]) + Stages.claim(1) + Stages.accept(1)
            + Stages.change(
                1,
                """
                UPDATE chunk_instances SET states = 'sa' WHERE chunk_id = 1;
                UPDATE chunks SET submitted = 1, succeeded = 1, polls = \(looks), next_poll_at = '\(later)',
                                  result_deadline_at = '\(deadline)' WHERE id = 1;
                """
            )
    }

    private static let awaited = "results awaited of b, given up at \(deadline)"

    static let overdue: [Case] = [
        Case(
            "the next look, while results can be expected with it",
            insert(["max_concurrency": "1"]),
            overdue(looks: 4),
            rows: [
                "1", "", "max_concurrency", "chunks in flight: 1, and max_concurrency allows 1; \(awaited)", later,
            ]
        ),
        Case(
            "the deadline of the instance that it names, once looks were in vain",
            insert(["max_concurrency": "1"]),
            overdue(looks: 5),
            rows: [
                "1", "", "max_concurrency", "chunks in flight: 1, and max_concurrency allows 1; \(awaited)", deadline,
            ]
        ),
        Case(
            "the deadline of the instance that keeps a canary from its end",
            insert(["canary": "2"]),
            Stages.plan(job: 1, chunks: ["a", "b"]) + Stages.claim(1) + Stages.accept(1)
                + Stages.change(
                    1,
                    """
                    UPDATE chunk_instances SET states = 'sa' WHERE chunk_id = 1;
                    UPDATE chunks SET submitted = 1, succeeded = 1, polls = 9, result_deadline_at = '\(deadline)' WHERE id = 1;
                    """
                ),
            rows: [
                "1", "", "canary",
                "the first 2 instances must succeed before the other 2 are sent; 1 have so far; \(awaited)", deadline,
            ]
        ),
        Case(
            "an earlier job on the same instance, and that job's instance",
            insert(),
            insert(["serialize_instances": "1"]),
            overdue(looks: 5),
            Stages.plan(job: 2, chunks: ["a", "b", "c", "d"]),
            Stages.change(3, "UPDATE chunks SET blocked = 1 WHERE id = 3;"),
            rows: ["1", "", "queued", "queued: all request slots are in use", "now"],
            [
                "2", "", "serialize_instances",
                "chunks whose instances wait for their results in earlier jobs: 1; job 1: \(awaited)", "",
            ]
        ),
        Case(
            "results of what was sent before it was cancelled",
            insert(),
            overdue(looks: 5),
            "UPDATE command_jobs SET state = 'cancelled'",
            rows: [
                "1", "", "results",
                "cancelled; chunks in flight, whose answers and results are awaited: 1; \(awaited)", deadline,
            ]
        ),
    ]
}
