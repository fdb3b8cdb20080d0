import CoreMetrics
import PrometheusText
import Testing

@Suite("The Prometheus text format")
struct ExpositionTests {
    /// Names are those of the format, everything else is for a scraper to read back.
    private func text(_ body: (MetricsRegistry) -> Void, _ help: [String: MetricsRegistry.Description] = [:]) -> String
    {
        let registry = MetricsRegistry(descriptions: help)
        body(registry)
        return Exposition.text(of: registry.families)
    }

    @Test("gives each family its help and type once, and its samples in order")
    func families() {
        let text = text(
            { registry in
                Counter(label: "requests", dimensions: [("outcome", "refused")], factory: registry).increment(by: 2)
                Counter(label: "requests_total", dimensions: [("outcome", "accepted")], factory: registry).increment()
                Counter(label: "requests", dimensions: [("outcome", "accepted")], factory: registry).increment(by: 4)
                Gauge(label: "depth", factory: registry).record(2.5)
            },
            ["requests_total": .init("Requests.")]
        )
        #expect(
            text == """
                # TYPE depth gauge
                depth 2.5
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{outcome="accepted"} 5
                requests_total{outcome="refused"} 2

                """
        )
    }

    @Test("cumulates the buckets of a histogram, up to infinity, in seconds")
    func histogram() {
        let text = text(
            { registry in
                let timer = Timer(label: "took", dimensions: [("op", "a")], factory: registry)
                for nanoseconds in [50_000_000, 100_000_000, 400_000_000, 7_000_000_000] as [Int64] {
                    timer.recordNanoseconds(nanoseconds)
                }
            },
            ["took_seconds": .init("", bounds: [0.1, 0.5, 2.5])]
        )
        #expect(
            text == """
                # TYPE took_seconds histogram
                took_seconds_bucket{op="a",le="0.1"} 2
                took_seconds_bucket{op="a",le="0.5"} 3
                took_seconds_bucket{op="a",le="2.5"} 3
                took_seconds_bucket{op="a",le="+Inf"} 4
                took_seconds_sum{op="a"} 7.55
                took_seconds_count{op="a"} 4

                """
        )
    }

    @Test(
        "escapes what a label's value may not hold",
        arguments: [
            ("a\"b", "a\\\"b"), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("\\n", "\\\\n"), ("größe €", "größe €"),
            ("{}=,", "{}=,"), ("\r\n", "\r\\n"),
        ]
    )
    func escaping(value: String, written: String) {
        var family = MetricFamily("m", .gauge, help: "")
        family.add(1, ["l": value])
        #expect(Exposition.text(of: [family]) == "# TYPE m gauge\nm{l=\"\(written)\"} 1\n")
    }

    @Test("escapes help, but not its quotes")
    func help() {
        let family = MetricFamily("m", .gauge, help: "a \"b\" \\ c\nd", value: 1)
        #expect(Exposition.text(of: [family]) == "# HELP m a \"b\" \\\\ c\\nd\n# TYPE m gauge\nm 1\n")
    }

    @Test(
        "writes numbers as Go reads them",
        arguments: [
            (0.0, "0"), (-3, "-3"), (0.005, "0.005"), (1e-9, "1e-09"), (9_007_199_254_740_992, "9007199254740992"),
            (1e300, "1e+300"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ]
    )
    func numbers(value: Double, written: String) {
        let family = MetricFamily("m", .gauge, help: "", value: value)
        #expect(Exposition.text(of: [family]) == "# TYPE m gauge\nm \(written)\n")
    }

    @Test(
        "makes names of what is not one",
        arguments: [("a.b-c", "a_b_c"), ("9lives", "_9lives"), ("é", "_"), ("", "_"), ("a:b", "a:b")]
    )
    func names(label: String, written: String) {
        let text = text { Gauge(label: label, factory: $0).record(1) }
        #expect(text == "# TYPE \(written) gauge\n\(written) 1\n")
    }

    @Test("keeps labels that are Prometheus's own to Prometheus")
    func reservedLabels() {
        let text = text { registry in
            Gauge(label: "g", dimensions: [("__name__", "x"), ("le:d", "y")], factory: registry).record(1)
            Timer(label: "t", dimensions: [("le", "z")], factory: registry).recordNanoseconds(0)
        }
        #expect(text.contains(#"g{_name__="x",le_d="y"} 1"#))
        #expect(text.contains(#"t_seconds_count{_le="z"} 1"#))
    }

    @Test("leaves out a name that another kind has taken, and what was destroyed")
    func conflicts() {
        let text = text { registry in
            Gauge(label: "a_total", factory: registry).record(1)
            Counter(label: "a", factory: registry).increment()
            let gone = Counter(label: "gone", factory: registry)
            gone.increment()
            gone.destroy()
        }
        #expect(text == "# TYPE a_total gauge\na_total 1\n")
    }

    @Test("never lets a counter fall, nor a value that is no number spoil a sum")
    func badValues() {
        let text = text { registry in
            let counter = FloatingPointCounter(label: "c", factory: registry)
            counter.increment(by: 1.5)
            registry.makeFloatingPointCounter(label: "c", dimensions: []).increment(by: -1)
            registry.makeFloatingPointCounter(label: "c", dimensions: []).increment(by: .nan)
            let recorder = Recorder(label: "r", factory: registry)
            recorder.record(Double.nan)
            recorder.record(2)
        }
        #expect(text.contains("c_total 1.5\n"))
        #expect(text.contains("r_sum 2\nr_count 1\n"))
    }
}
