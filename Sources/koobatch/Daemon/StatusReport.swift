import KoobatchCore
import KoobatchEngine
import KoobatchStore
import ServiceLifecycle

/// Tells systemd in numbers what the daemon does, when that changes; nothing while nothing happens.
struct StatusReport: Service {
    /// How often to look while something happens.
    private static let interval = Duration.seconds(3)
    /// How often to look while nothing does.
    private static let idleInterval = Duration.seconds(10)

    let engine: Engine
    /// Instances submitted so far.
    let submitted: @Sendable () -> Int
    let serviceManager: ServiceManager

    /// Reports until graceful shutdown or cancellation.
    func run() async {
        await cancelWhenGracefulShutdown {
            var last = (turns: -1, submitted: submitted(), time: ContinuousClock.now)
            var wasBusy = true
            do {
                while true {
                    let (turns, now) = (engine.supervision.turns, ContinuousClock.now)
                    if turns != last.turns || wasBusy {
                        let rate = Double(submitted() - last.submitted) / max((now - last.time).inSeconds, 0.001)
                        wasBusy = turns != last.turns
                        last = (turns, submitted(), now)
                        await report(rate: rate)
                    }
                    try await ContinuousClock().sleep(for: wasBusy ? Self.interval : Self.idleInterval)
                }
            } catch {
                // Cancelled.
            }
        }
    }

    private func report(rate: Double) async {
        do {
            let activity = try await engine.activity()
            serviceManager.status(Self.text(activity, rate: rate, pause: engine.pause))
        } catch {
            serviceManager.status("The database does not answer: \(error)")
        }
    }

    /// The sentence for `systemctl status`.
    static func text(
        _ activity: Store.Activity,
        rate: Double,
        pause: (reason: CircuitBreaker.Reason, until: Timestamp?)?
    ) -> String {
        if activity == .none { return "Idle" }
        var parts = [
            "\(activity.runningJobs.of("job")) running",
            "chunks: \(activity.waitingChunks) waiting, \(activity.inFlightChunks) in flight, \(activity.heldChunks) held",
        ]
        if let pause {
            let until = pause.until.map { " until \($0)" } ?? ""
            parts.append("circuit open, requests paused\(until): \(words(pause.reason))")
        } else {
            parts.append("\(Int(rate.rounded())) instances submitted a second")
        }
        return parts.joined(separator: "; ")
    }

    private static func words(_ reason: CircuitBreaker.Reason) -> String {
        switch reason {
        case .unproven: "one request tries whether the API accepts the credentials"
        case .throttled: "the API asked for it"
        case .credentials: "the API refuses the credentials"
        case .refusal: "the API refuses everything"
        case .endpoint: "the API fails"
        }
    }
}
