import Foundation
import KoobatchCore
import KoobatchStore

/// Follows all unfinished jobs until there are none left: in place on a terminal, else in lines.
struct JobsView {
    /// What one look reads: the unfinished jobs, and those that were when the view began.
    private struct Look: Sendable {
        let jobs: [JobStatus]
        let waits: [CommandJobID: Wait]
        let isDaemonRunning: Bool
    }

    let client: DatabaseClient
    let handle: FileHandle
    var form = JobView.Form.progress
    var timeout: Duration?

    /// Returns when no job is unfinished but those that do not go on without an operator, or throws
    /// `JobFollower.Interrupted` or `JobFollower.TimedOut`.
    ///
    /// - Returns: what those wait for.
    func follow() async throws -> [Wait] {
        let screen = Screen(self)
        do {
            try await JobFollower(client: client, timeout: timeout).follow { [client] _ in
                let jobs = try client.unfinishedJobs(and: await screen.seen)
                let waits = try client.waits(of: nil, chunks: false, limit: nil)
                return Look(
                    jobs: jobs,
                    waits: Dictionary(waits.map { ($0.job, $0) }) { first, _ in first },
                    isDaemonRunning: try client.isDaemonRunning()
                )
            } show: { look, time in
                try await screen.show(look, at: time)
                return look.jobs.contains { !$0.isFinished && look.waits[$0.id]?.needsOperator($0) != true }
            }
        } catch {
            try await screen.leave()
            throw error
        }
        try await screen.leave()
        return await screen.obstacles
    }

    /// What has been shown so far.
    private actor Screen {
        private let handle: FileHandle
        private let form: JobView.Form
        private let terminal: Terminal
        private var live: LiveScreen
        private var plain: [CommandJobID: PlainProgress] = [:]
        private var meters: [CommandJobID: ProgressMeter] = [:]
        private var last: [CommandJobID: JobStatus] = [:]
        /// What jobs that do not go on without an operator waited for at the last look.
        private(set) var obstacles: [Wait] = []

        init(_ view: JobsView) {
            handle = view.handle
            form = view.form
            live = LiveScreen(view.handle)
            terminal = Terminal(descriptor: view.handle.fileDescriptor)
        }

        /// The jobs that have been shown.
        var seen: Set<CommandJobID> { Set(last.keys) }

        func show(_ look: Look, at time: Duration) throws {
            obstacles = look.jobs.compactMap { job in
                look.waits[job.id].flatMap { !job.isFinished && $0.needsOperator(job) ? $0 : nil }
            }
            let all = look.jobs.map { job in
                meters[job.id, default: ProgressMeter()].note(done: job.done, at: time)
                return JobProgress(
                    job,
                    meter: meters[job.id, default: ProgressMeter()],
                    wait: look.waits[job.id],
                    isDaemonRunning: look.isDaemonRunning
                )
            }
            if form == .progress, terminal.isLive {
                let now = Terminal(descriptor: handle.fileDescriptor)
                try live.draw(lines(all, isDaemonRunning: look.isDaemonRunning, on: now), on: now)
            } else {
                for progress in all { try say(progress, at: time) }
            }
            for job in look.jobs { last[job.id] = job }
        }

        func leave() throws {
            try live.leave()
        }

        private func say(_ progress: JobProgress, at time: Duration) throws {
            let id = progress.job.id
            let lines =
                switch form {
                case .json: last[id] == progress.job ? [] : [progress.job.json.line]
                case .progress: plain[id, default: PlainProgress()].lines(for: progress, at: time)
                }
            for line in lines { try handle.show(Data((line + "\n").utf8)) }
        }

        private func lines(_ all: [JobProgress], isDaemonRunning: Bool, on terminal: Terminal) -> [[Span]] {
            // The title, a line for what is left out and the last one, which holds the cursor.
            let room = max(1, terminal.height - 3)
            // Where not all fit, those that are finished give way.
            let order = all.filter { !$0.job.isFinished } + all.filter(\.job.isFinished)
            let chosen = Set(order.prefix(room).map(\.job.id))
            var table = Table([
                .number("ID"), .text("LABEL"), .text("COMMAND"), .fixed("STATE"), .fixed("PROGRESS"), .number("DONE"),
                .number("FAILED"), .number("RATE"), .number("ETA"), .text("WAITS"),
            ])
            for progress in all where chosen.contains(progress.job.id) {
                table.add(cells(progress, on: terminal))
            }
            var lines = table.lines(for: terminal)
            if all.count > room { lines.append([Span("and \((all.count - room).of("more job"))", .dim)]) }
            if !isDaemonRunning {
                lines.append([
                    Span("the daemon is not running; start it with: systemctl start koobatch", .yellow)
                ])
            }
            return lines
        }

        private func cells(_ progress: JobProgress, on terminal: Terminal) -> [Span] {
            let job = progress.job
            let failed = job[.failed] + job[.rejected] + job[.unknown]
            let bar = progress.bar(16, isUnicode: terminal.isUnicode).map(\.text).joined()
            return [
                Span("\(job.id.rawValue)"),
                Span(job.label ?? ""),
                Span(job.command),
                Span(job.state.rawValue, job.state.style),
                Span(bar, job.isFinished ? job.state.style : .cyan),
                Span("\(job.done.grouped)/\(job.total.grouped)"),
                Span(failed > 0 ? failed.grouped : "", .red),
                Span(progress.speed ?? ""),
                Span(progress.remaining?.brief ?? ""),
                Span(progress.notice ?? "", .yellow),
            ]
        }
    }
}
