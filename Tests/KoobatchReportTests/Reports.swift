import KoobatchCore
import KoobatchStore

/// Reports to draw pages from.
enum Reports {
    static let start = Timestamp(millisecondsSinceEpoch: 1_796_112_000_000)

    static func facts(
        label: String? = nil,
        command: String = "ls -l /system",
        state: CommandJobState = .partial,
        reason: String? = nil,
        instances: [InstanceState: Int]
    ) -> JobReport.Facts {
        let hasEnded = ![.queued, .running, .paused].contains(state)
        return JobReport.Facts(
            id: CommandJobID(rawValue: 7),
            label: label,
            command: command,
            state: state,
            stateReason: reason,
            createdAt: start,
            runAt: start,
            startedAt: state == .queued ? nil : start + .milliseconds(20),
            finishedAt: hasEnded ? start + .seconds(95) : nil,
            instances: instances,
            total: instances.values.reduce(0, +)
        )
    }

    /// A job that has not started.
    static let queued = report(facts(state: .queued, instances: [.pending: 2]), timeline: nil)

    /// One instance that succeeded.
    static var single: JobReport {
        var timeline = JobReport.Timeline(from: start, to: start + .seconds(2))
        timeline.change(0) {
            $0.submitted = 1; $0.requests = [.accepted: 1]
        }
        timeline.change(150) { $0.ended = [.succeeded: 1] }
        return report(
            facts(state: .succeeded, instances: [.succeeded: 1]),
            timeline: timeline,
            durations: [.init(seconds: 1.5, instances: 1)],
            outputs: [.init(state: .succeeded, errorCode: nil, text: "ok", instances: 1, example: "a44uhlf7")],
            requests: [request(.accepted, status: 200, count: 1)]
        )
    }

    /// A million instances, as full as a report gets, every text of it as long and hostile as can be.
    static func largest(text: String) -> JobReport {
        var timeline = JobReport.Timeline(from: start, to: start + .seconds(7_000))
        for index in timeline.steps.indices {
            timeline.change(index) { step in
                step.submitted = 5_000 + index % 7
                for state in InstanceState.allCases { step.ended[state] = 700 + index % 11 }
                for outcome in JobReport.RequestOutcome.allCases { step.requests[outcome] = 30 + index % 13 }
            }
        }
        let long = String(repeating: text, count: 2_000)
        let states: [InstanceState] = [.failed, .rejected, .unknown]
        return report(
            facts(
                label: long,
                command: String(repeating: "a", count: 1_024),
                state: .failed,
                reason: long,
                instances: [.succeeded: 999_000, .failed: 400, .rejected: 300, .unknown: 300]
            ),
            timeline: timeline,
            durations: (0..<600).map { .init(seconds: Double($0) * 0.5, instances: 1_000 + $0) },
            outputs: (0..<50).map {
                .init(
                    state: .succeeded,
                    errorCode: long,
                    text: long,
                    instances: 900 - $0,
                    example: String(long.prefix(32))
                )
            },
            distinct: 1_000_000,
            unsuccessful: (0..<500).map {
                .init(
                    instance: String(long.prefix(32)),
                    chunk: ChunkID(rawValue: Int64($0)),
                    state: states[$0 % 3],
                    errorCode: long,
                    message: long,
                    finishedAt: start
                )
            },
            requests: (0..<40).map { request(.refused, status: 400 + $0, count: 10, code: long, message: long) }
        )
    }

    static func request(
        _ outcome: JobReport.RequestOutcome,
        status: Int?,
        count: Int,
        code: String? = nil,
        message: String? = nil
    ) -> JobReport.RequestGroup {
        .init(
            outcome: outcome,
            httpStatus: status,
            errorCode: code,
            message: message,
            requests: count,
            averageSeconds: 0.012,
            longestSeconds: 0.25
        )
    }

    static func report(
        _ facts: JobReport.Facts,
        timeline: JobReport.Timeline?,
        durations: [JobReport.DurationCount] = [],
        outputs: [JobReport.Output] = [],
        distinct: Int? = nil,
        unsuccessful: [JobReport.UnsuccessfulInstance] = [],
        requests: [JobReport.RequestGroup] = []
    ) -> JobReport {
        JobReport(
            job: facts,
            timeline: timeline,
            durations: durations,
            outputs: outputs,
            distinctOutputs: distinct ?? outputs.count,
            unsuccessful: unsuccessful,
            requests: requests,
            repeats: .init(chunks: 31_250, retries: 12, splits: 1, polls: 40_000),
            readAt: start + .seconds(100)
        )
    }
}
