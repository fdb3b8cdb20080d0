import KoobatchCore
import Logging
import Synchronization

/// What the stages know of the system clock.
///
/// See `TrustedClock`. It says so when the clock jumps.
public final class ClockWatch: Sendable {
    private struct State {
        var clock: TrustedClock
        var wasSet = false
    }

    private let state: Mutex<State>
    private let time: EngineTime
    private let serverTime: @Sendable () -> ServerTime?
    private let logger: Logger

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - last: the time that an earlier daemon last trusted.
    ///   - time: the clocks.
    ///   - serverTime: the last that is known of the API's clock.
    ///   - logger: for jumps.
    init(
        last: Timestamp?,
        time: EngineTime,
        serverTime: @escaping @Sendable () -> ServerTime?,
        logger: Logger
    ) {
        let clock = TrustedClock(Self.reading(time), last: last)
        state = Mutex(State(clock: clock))
        self.time = time
        self.serverTime = serverTime
        self.logger = logger
        if let leap = clock.leap {
            logger.notice(
                """
                System clock is ahead of the last heartbeat; deletions, expiry and result deadlines wait until the API's \
                clock agrees or 10 minutes have passed
                """,
                metadata: [LogKeys.seconds: "\(leap.components.seconds)"]
            )
        }
    }

    private static func reading(_ time: EngineTime) -> TrustedClock.Reading {
        TrustedClock.Reading(wall: time.now, uptime: time.uptime)
    }

    /// The time that what cannot be undone goes by: what is deleted, expires or is given up.
    func trustedNow() -> Timestamp {
        let server = serverTime()
        let (now, change) = state.withLock { state in
            let change = state.clock.observe(Self.reading(time), server: server)
            if change != nil { state.wasSet = true }
            return (state.clock.now, change)
        }
        if let change { log(change) }
        return now
    }

    /// Whether the system clock was set since this was last asked.
    func takeWasSet() -> Bool {
        state.withLock { state in
            defer { state.wasSet = false }
            return state.wasSet
        }
    }

    private func log(_ change: TrustedClock.Change) {
        switch change {
        case .jumped(let ahead):
            logger.warning(
                """
                System clock jumped forward; deletions, expiry and result deadlines wait until the API's clock agrees or \
                10 minutes have passed
                """,
                metadata: [LogKeys.seconds: "\(ahead.components.seconds)"]
            )
        case .proved:
            logger.notice("System clock has proved right; deletions, expiry and result deadlines go by it again")
        case .returned:
            logger.notice("System clock is back where it was before it jumped; nothing was deleted or given up by it")
        case .setBack(let by):
            logger.warning(
                "System clock was set back; what it had put off for too long is due now",
                metadata: [LogKeys.seconds: "\(by.components.seconds)"]
            )
        }
    }
}
