public import CoreMetrics
import Synchronization

/// What the process measures: a backend of swift-metrics that renders the Prometheus text format.
///
/// Counters end in `_total`. Timers are histograms in seconds, recorders that aggregate are histograms, meters and other
/// recorders are gauges. Handlers of one name and one set of dimensions are one. A name that is taken by another kind
/// gets a handler that is not rendered.
public final class MetricsRegistry: MetricsFactory {
    /// What swift-metrics has no place for.
    public struct Description: Hashable, Sendable {
        let help: String
        let bounds: [Double]

        /// Creates a description.
        ///
        /// - Parameters:
        ///   - help: what the metric means, for people.
        ///   - bounds: the upper bounds of a histogram's buckets, ascending, without infinity.
        public init(_ help: String, bounds: [Double] = MetricsRegistry.seconds) {
            self.help = help
            self.bounds = bounds
        }
    }

    /// Bounds for what takes from a millisecond to a minute.
    public static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct Metric {
        let kind: MetricFamily.Kind
        var series: [Series: Instrument] = [:]
    }

    private struct Series: Hashable {
        let labels: [MetricFamily.Label]
    }

    private let descriptions: [String: Description]
    private let metrics = Mutex<[String: Metric]>([:])

    /// Creates a registry without metrics.
    ///
    /// - Parameter descriptions: by name as it is rendered.
    public init(descriptions: [String: Description] = [:]) {
        self.descriptions = descriptions
    }

    /// Everything that is measured, sorted by name and labels.
    public var families: [MetricFamily] {
        metrics.withLock { $0 }.sorted { $0.key < $1.key }.map { name, metric in
            var family = MetricFamily(name, metric.kind, help: descriptions[name]?.help ?? "")
            let series = metric.series.sorted { Self.text($0.key) < Self.text($1.key) }
            for (key, instrument) in series { instrument.add(to: &family, key.labels) }
            return family
        }
    }

    private static func text(_ series: Series) -> String {
        series.labels.map { "\($0.name)\u{1}\($0.value)" }.joined(separator: "\u{2}")
    }

    private func instrument(
        _ label: String,
        suffix: String,
        _ kind: MetricFamily.Kind,
        _ dimensions: [(String, String)]
    ) -> Instrument {
        var name = Name.metric(label)
        if !name.hasSuffix(suffix) { name += suffix }
        let reserved = kind == .histogram ? "le" : nil
        var labels: [MetricFamily.Label] = []
        for (key, value) in dimensions {
            let key = Name.label(key)
            labels.append(.init(name: key == reserved ? "_\(key)" : key, value: value))
        }
        let series = Series(labels: labels)
        let bounds = descriptions[name]?.bounds ?? Self.seconds
        return metrics.withLock { metrics in
            var metric = metrics[name] ?? Metric(kind: kind)
            guard metric.kind == kind else { return Instrument(kind, bounds: bounds) }
            if let known = metric.series[series] { return known }
            let new = Instrument(kind, bounds: bounds)
            metric.series[series] = new
            metrics[name] = metric
            return new
        }
    }

    private func forget(_ handler: AnyObject) {
        metrics.withLock { metrics in
            for (name, var metric) in metrics {
                metric.series = metric.series.filter { $0.value !== handler }
                metrics[name] = metric.series.isEmpty ? nil : metric
            }
        }
    }

    // MARK: MetricsFactory

    /// A counter of whole numbers.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, suffix: "_total", .counter, dimensions)
    }

    /// A counter of fractions.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        instrument(label, suffix: "_total", .counter, dimensions)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, suffix: "", .gauge, dimensions)
    }

    /// A histogram, or a gauge.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        instrument(label, suffix: "", aggregate ? .histogram : .gauge, dimensions)
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(label, suffix: "_seconds", .histogram, dimensions)
    }

    /// Forgets the counter.
    public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }

    /// Forgets the counter.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { forget(handler) }

    /// Forgets the gauge.
    public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }

    /// Forgets the histogram or gauge.
    public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }

    /// Forgets the histogram.
    public func destroyTimer(_ handler: any TimerHandler) { forget(handler) }
}
