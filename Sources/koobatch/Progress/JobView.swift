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

    /// Returns the job when it has finished, or throws `JobFollower.Interrupted`.
    func follow() async throws -> JobStatus {
        let screen = Screen(self)
        let id = id
        do {
            try await JobFollower(client: client).follow { client in
                Look(
                    job: try client.job(id),
                    wait: try client.waits(of: id, chunks: false, limit: 1).first,
                    isDaemonRunning: try client.isDaemonRunning()
                )
            } show: { look, time in
                try await screen.show(look, at: time)
                return !look.job.isFinished
            }
        } catch {
            try await screen.leave()
            throw error
        }
        try await screen.leave()
        return try client.job(id)
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

        init(_ view: JobView) {
            handle = view.handle
            form = view.form
            live = LiveScreen(view.handle)
            terminal = Terminal(descriptor: view.handle.fileDescriptor)
        }

        func show(_ look: Look, at time: Duration) throws {
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
