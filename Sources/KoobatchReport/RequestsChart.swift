import KoobatchCore
import KoobatchStore

/// Requests over time by what came of them: bars one on another.
struct RequestsChart {
    /// In the order of the stack, from below.
    private static let kinds: [(name: String, style: String, outcomes: Set<JobReport.RequestOutcome>)] = [
        ("accepted", "accepted", [.accepted]),
        ("throttled", "throttled", [.throttled]),
        ("refused", "refused", [.refused]),
        ("unauthenticated", "unauth", [.unauthenticated]),
        ("not sent", "notsent", [.notSent]),
        ("unknown: answer lost", "lost", [.unknown]),
        ("in flight", "inflight", [.inFlight]),
    ]

    private let timeline: JobReport.Timeline

    init(_ timeline: JobReport.Timeline) {
        self.timeline = timeline
    }

    private func count(_ step: JobReport.Timeline.Step, _ outcomes: Set<JobReport.RequestOutcome>) -> Int {
        outcomes.reduce(0) { $0 + (step.requests[$1] ?? 0) }
    }

    var figure: Markup {
        let step = Format.duration(Double(timeline.stepMilliseconds) / 1_000)
        return """
            <figure><figcaption>Requests in every \(step), by what came of them</figcaption>\(legend)\
            \(Plot.Shape.allCases.map(picture))</figure>

            """
    }

    private var present: [(name: String, style: String, outcomes: Set<JobReport.RequestOutcome>, sum: Int)] {
        Self.kinds.map { kind in
            (kind.name, kind.style, kind.outcomes, timeline.steps.reduce(0) { $0 + count($1, kind.outcomes) })
        }.filter { $0.sum > 0 }
    }

    private var legend: Markup {
        Markup(
            [#"<ul class="legend">"#]
                + present.map { kind in
                    """
                    <li><svg class="key" viewBox="0 0 24 12" aria-hidden="true">\
                    <rect class="r-\(kind.style)" width="24" height="12"/>\(Hatch.over(kind.style, in: "width=\"24\" height=\"12\""))\
                    </svg>\(kind.name) <b>\(Format.count(kind.sum))</b></li>
                    """
                } + ["</ul>"]
        )
    }

    private func picture(_ shape: Plot.Shape) -> Markup {
        let plot = Plot(shape: shape)
        let scale = Scale(upTo: timeline.steps.map { $0.requests.values.reduce(0, +) }.max() ?? 0)
        let axis = TimeAxis(from: timeline.start, to: timeline.end)
        let width = plot.innerWidth / Double(timeline.steps.count)
        var below = Array(repeating: 0, count: timeline.steps.count)
        let bars: [Markup] = present.map { kind in
            var path = Markup.none
            for (index, step) in timeline.steps.enumerated() {
                let count = count(step, kind.outcomes)
                if count == 0 { continue }
                let (low, high) = (
                    plot.y(Double(below[index]) / scale.end), plot.y(Double(below[index] + count) / scale.end)
                )
                below[index] += count
                let bar: Markup =
                    "M\(plot.left + width * Double(index)) \(low)V\(high)h\(max(width - 0.4, 0.6))V\(low)z"
                path.html += bar.html
            }
            return "<path class=\"r-\(kind.style)\" d=\"\(path)\"/>\(Hatch.over(kind.style, path: path))"
        }
        return plot.picture(
            id: "requests",
            title: "Requests over time",
            summary: present.map { "\($0.sum) \($0.name)" }.joined(separator: ", "),
            [plot.grid(scale)] + axis.labels(most: shape.mostLabels).map { plot.label($0.text, at: $0.share) } + bars
        )
    }
}
