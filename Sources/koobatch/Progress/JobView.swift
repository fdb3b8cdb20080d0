import Foundation
import KoobatchCore
import KoobatchStore

/// Follows one job to its end on a descriptor: in place on a terminal, else in lines.
struct JobView {
    /// What is printed while the job is followed.
    enum Form {
        /// For people.
        case progress
        /// An object of `job_status` for every change.
        case json
    }

    /// What one look reads.
    private struct Look: Sendable {
        let job: JobStatus
        let wait: Wait?
        let isDaemonRunning: Bool
    }

    let id: CommandJobID
    let client: DatabaseClient
    let handle: FileHandle
    var form = Form.progress
    var timeout: Duration?

    /// How a job stands when it is not followed any more.
    struct Outcome {
        let job: JobStatus
        /// What it waits for if that is an operator; `nil` once it has finished.
        let obstacle: Wait?
    }

    /// Returns when the job has finished or does not go on without an operator, or throws `JobFollower.Interrupted` or
    /// `JobFollower.TimedOut`.
    func follow() async throws -> Outcome {
        let screen = Screen(self)
        let id = id
        do {
            try await JobFollower(client: client, timeout: timeout).follow { client in
                Look(
                    job: try client.job(id),
                    wait: try client.waits(of: id, chunks: false, limit: 1).first,
                    isDaemonRunning: try client.isDaemonRunning()
                )
            } show: { look, time in
                try await screen.show(look, at: time)
                return !look.job.isFinished && look.wait?.needsOperator(look.job) != true
            }
        } catch {
            try await screen.leave()
            throw error
        }
        try await screen.leave()
        let job = try client.job(id)
        return Outcome(job: job, obstacle: job.isFinished ? nil : await screen.wait)
    }

    /// What has been shown so far.
    private actor Screen {
        private let handle: FileHandle
        private let form: Form
        private let terminal: Terminal
        private var live: LiveScreen
        private var plain = PlainProgress()
        private var meter = ProgressMeter()
        private var last: JobStatus?
        /// What the job waited for at the last look.
        private(set) var wait: Wait?

        init(_ view: JobView) {
            handle = view.handle
            form = view.form
            live = LiveScreen(view.handle)
            terminal = Terminal(descriptor: view.handle.fileDescriptor)
        }

        func show(_ look: Look, at time: Duration) throws {
            wait = look.wait
            meter.note(done: look.job.done, at: time)
            let progress = JobProgress(look.job, meter: meter, wait: look.wait, isDaemonRunning: look.isDaemonRunning)
            switch form {
            case .json where look.job != last:
                try print(look.job.json.line)
                last = look.job
            case .json: break
            case .progress where terminal.isLive:
                let now = Terminal(descriptor: handle.fileDescriptor)
                try live.draw(progress.lines(on: now), on: now)
            case .progress:
                for line in plain.lines(for: progress, at: time) { try print(line) }
            }
        }

        func leave() throws {
            try live.leave()
        }

        private func print(_ line: String) throws {
            try handle.show(Data((line + "\n").utf8))
        }
    }
}

extension Wait {
    /// Whether nothing happens to the job before an operator does something about it.
    func needsOperator(_ job: JobStatus) -> Bool {
        switch blocker {
        case "pause", "max_errors", "hold": true
        case "canary": job.state == .paused
        default: false
        }
    }

    /// What the operator is told.
    var complaint: String {
        "job \(job.rawValue) waits for an operator: \(explanation ?? blocker)"
    }
}
