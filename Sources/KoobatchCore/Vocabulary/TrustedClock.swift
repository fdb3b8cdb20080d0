/// What the API's clock said in an answer.
public struct ServerTime: Hashable, Sendable {
    /// The `Date` of the answer, in whole seconds.
    public let date: Timestamp
    /// The wall clock of this machine when the answer came.
    public let wall: Timestamp

    /// Creates a reading.
    public init(date: Timestamp, wall: Timestamp) {
        self.date = date
        self.wall = wall
    }
}

/// How far the wall clock is to be believed by what cannot be undone: deleting, expiring, giving up.
///
/// The wall clock is compared with one that is never set and goes on while the machine is suspended and, at a start, with
/// the last time that an earlier daemon believed. A leap forward is doubted: until it has proved true, `now` goes on from
/// where it was. It has proved true when the API's clock agrees, or when it has lasted for `grace` and the API's clock does
/// not contradict. A clock that is set back is followed at once, because nothing is destroyed too early by it.
public struct TrustedClock: Hashable, Sendable {
    /// The clocks at one moment.
    public struct Reading: Hashable, Sendable {
        /// The wall clock.
        public let wall: Timestamp
        /// A clock that is never set, from any origin.
        public let uptime: Duration

        /// Creates a reading.
        public init(wall: Timestamp, uptime: Duration) {
            self.wall = wall
            self.uptime = uptime
        }
    }

    /// What is to be told of the wall clock.
    public enum Change: Hashable, Sendable {
        /// It is ahead by this, and doubted.
        case jumped(ahead: Duration)
        /// The leap has proved true.
        case proved
        /// It is back where it was before the leap.
        case returned
        /// It was set back by this.
        case setBack(by: Duration)
    }

    /// What clocks may differ by without anybody having set one.
    public static let tolerance = Duration.seconds(10)
    /// How long a leap must last to be believed without the API's clock.
    public static let grace = Duration.seconds(600)
    /// How long no daemon may have run before a start doubts the clock.
    public static let absence = Duration.seconds(1_800)
    /// How far the API's clock may be behind one that it confirms.
    private static let skew = Duration.seconds(300)

    private struct Doubt: Hashable {
        /// How far the wall clock is ahead.
        let leap: Duration
        /// Since when it has been, without a contradiction.
        var since: Duration
    }

    /// The clocks when the wall clock was last believed.
    private var anchor: Reading
    private var doubt: Doubt?
    /// The last reading of the API's clock that was taken into account.
    private var heard: ServerTime?

    /// The time that what cannot be undone goes by, at the last reading.
    public private(set) var now: Timestamp

    /// How far the wall clock is ahead of `now`, while that is doubted.
    public var leap: Duration? { doubt?.leap }

    /// Begins to watch the clocks.
    ///
    /// - Parameters:
    ///   - reading: the clocks now.
    ///   - last: what `now` last was to an earlier daemon, if there was one.
    public init(_ reading: Reading, last: Timestamp?) {
        anchor = reading
        now = reading.wall
        guard let last, reading.wall - last > Self.absence else { return }
        anchor = Reading(wall: last, uptime: reading.uptime)
        doubt = Doubt(leap: reading.wall - last, since: reading.uptime)
        now = last
    }

    /// Takes in the clocks.
    ///
    /// - Parameter server: the last that is known of the API's clock, whether it is new or not.
    /// - Returns: what there is to tell.
    public mutating func observe(_ reading: Reading, server: ServerTime? = nil) -> Change? {
        let expected = anchor.wall + (reading.uptime - anchor.uptime)
        let ahead = reading.wall - expected
        guard ahead > Self.tolerance else {
            let wasDoubted = doubt != nil
            believe(reading)
            if ahead < .zero - Self.tolerance { return .setBack(by: .zero - ahead) }
            return wasDoubted ? .returned : nil
        }
        now = expected
        guard var doubt, abs(ahead - doubt.leap) <= Self.tolerance else {
            self.doubt = Doubt(leap: ahead, since: reading.uptime)
            return .jumped(ahead: ahead)
        }
        // Only what came after the leap tells anything of it.
        if let server, server != heard, server.wall > expected + Self.tolerance {
            heard = server
            if server.date >= server.wall + (.zero - min(Self.skew, doubt.leap / 2)) {
                believe(reading)
                return .proved
            }
            doubt.since = reading.uptime
            self.doubt = doubt
        }
        guard reading.uptime - doubt.since >= Self.grace else { return nil }
        believe(reading)
        return .proved
    }

    private mutating func believe(_ reading: Reading) {
        anchor = reading
        doubt = nil
        now = reading.wall
    }

    private func abs(_ duration: Duration) -> Duration { max(duration, .zero - duration) }
}
