import KoobatchCore
import KoobatchStore

/// Which looks at a job are worth a line in a log: another state, another obstacle, another tenth, or half a minute.
struct PlainProgress {
    private static let longestSilence = Duration.seconds(30)

    private var state: CommandJobState?
    private var notice: String?
    private var tenth = 0
    private var done = 0
    private var spokeAt = Duration.zero

    /// The lines to print after this look; none for most.
    mutating func lines(for progress: JobProgress, at time: Duration) -> [String] {
        let job = progress.job
        let tenth = job.total > 0 ? job.done * 10 / job.total : 0
        let isLate = time - spokeAt >= Self.longestSilence && job.done != done
        var lines: [String] = []
        if job.state != state || tenth != self.tenth || isLate {
            lines.append(progress.sentence)
            (state, self.tenth, done, spokeAt) = (job.state, tenth, job.done, time)
        }
        if let notice = progress.notice, notice != self.notice {
            lines.append("job \(job.id.rawValue) waits: \(notice.visible)")
        }
        notice = progress.notice
        return lines
    }
}
