import CoreMetrics
import Synchronization

/// One series: a number, or the counts of a histogram.
final class Instrument: Sendable {
    private struct State {
        /// The number of a counter or gauge; the sum of a histogram.
        var value = 0.0
        /// Observations up to each bound and beyond the last, not cumulated.
        var buckets: [UInt64]
    }

    private let kind: MetricFamily.Kind
    private let bounds: [Double]
    private let state: Mutex<State>

    init(_ kind: MetricFamily.Kind, bounds: [Double]) {
        self.kind = kind
        self.bounds = bounds
        state = Mutex(State(buckets: kind == .histogram ? Array(repeating: 0, count: bounds.count + 1) : []))
    }

    func add(to family: inout MetricFamily, _ labels: [MetricFamily.Label]) {
        let state = state.withLock { $0 }
        guard kind == .histogram else { return family.add(state.value, suffix: "", labels) }
        var count: UInt64 = 0
        for (bound, observations) in zip(bounds + [.infinity], state.buckets) {
            count += observations
            let le = MetricFamily.Label(name: "le", value: Exposition.number(bound))
            family.add(Double(count), suffix: "_bucket", labels + [le])
        }
        family.add(state.value, suffix: "_sum", labels)
        family.add(Double(count), suffix: "_count", labels)
    }

    /// A counter takes no decrease; what is not a number would spoil every sum after it.
    private func change(by amount: Double) {
        if amount.isNaN || (kind == .counter && amount < 0) { return }
        state.withLock { $0.value += amount }
    }

    private func put(_ value: Double) {
        state.withLock { state in
            guard kind == .histogram else {
                state.value = value
                return
            }
            if value.isNaN { return }
            state.value += value
            state.buckets[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        }
    }
}

extension Instrument: CounterHandler, FloatingPointCounterHandler {
    func increment(by amount: Int64) { change(by: Double(amount)) }

    func increment(by amount: Double) { change(by: amount) }

    func reset() {
        state.withLock { $0.value = 0 }
    }
}

extension Instrument: MeterHandler {
    func set(_ value: Int64) { put(Double(value)) }

    func set(_ value: Double) { put(value) }

    func decrement(by amount: Double) { change(by: -amount) }
}

extension Instrument: RecorderHandler {
    func record(_ value: Int64) { put(Double(value)) }

    func record(_ value: Double) { put(value) }
}

extension Instrument: TimerHandler {
    func recordNanoseconds(_ duration: Int64) { put(Double(duration) / 1e9) }
}
