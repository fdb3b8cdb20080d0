/// What chunks wait for.
extension WhyTests {
    private static func retry(_ outcome: String) -> String {
        Stages.claim(1) + Stages.retry(1, outcome, at: later)
    }

    private static let one = Stages.plan(job: 1, chunks: ["a", "b", "c", "d"])
    private static let backoff = [
        "1", "", "backoff", "chunks that wait for their next attempt: 1; see their rows", later,
    ]

    static let chunks: [Case] =
        [
            ("refused", "its last request was refused: E m"),
            ("not_sent", "its last request never reached the API: E m"),
            ("throttled", "its last request was throttled: E m"),
            ("unauthenticated", "its last request was refused for the credentials: E m"),
            ("unknown", "its last request was sent and the answer lost: E m"),
        ].map { outcome, text in
            Case(
                "a chunk whose request was \(outcome)",
                insert(),
                one,
                retry(outcome),
                rows: backoff,
                ["1", "1", "backoff", "\(text); 1 of 8 attempts are used", later]
            )
        } + [
            Case(
                "a chunk that is to be sent again, of a paused job",
                insert(),
                one,
                retry("refused"),
                "UPDATE command_jobs SET state = 'paused'",
                rows: [
                    "1", "", "pause",
                    "paused by hand; resume with UPDATE command_jobs SET state = 'running' WHERE id = 1", "",
                ],
                [
                    "1", "1", "backoff",
                    "its last request was refused: E m; 1 of 8 attempts are used; its job is paused", "",
                ]
            ),
            Case(
                "a chunk on hold",
                insert(),
                one,
                Stages.claim(1) + Stages.lose(1),
                rows: [
                    "1", "", "hold",
                    "chunks on hold, because their answers were lost: 1; operator action required: see the chunk's row in chunks",
                    "",
                ],
                [
                    "1", "1", "hold",
                    "a request was sent and its answer lost: L lost; UPDATE chunks SET state = 'pending' WHERE id = 1 "
                        + "sends it again, 'failed' gives it up",
                    "",
                ]
            ),
        ]
}
