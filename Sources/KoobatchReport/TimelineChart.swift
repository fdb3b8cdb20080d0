import KoobatchCore
import KoobatchStore

/// Submissions and results over time, added up.
struct TimelineChart {
    private let timeline: JobReport.Timeline
    private let submitted: [Int]
    private let succeeded: [Int]
    private let others: [Int]

    init(_ timeline: JobReport.Timeline) {
        self.timeline = timeline
        submitted = Self.sums(timeline.steps.map(\.submitted))
        succeeded = Self.sums(timeline.steps.map { $0.ended[.succeeded] ?? 0 })
        others = Self.sums(
            timeline.steps.map { step in step.ended.reduce(0) { $0 + ($1.key == .succeeded ? 0 : $1.value) } }
        )
    }

    private static func sums(_ numbers: [Int]) -> [Int] {
        var sum = 0
        return numbers.map { number in
            sum += number
            return sum
        }
    }

    var figure: Markup {
        """
        <figure><figcaption>Instances submitted and ended, added up</figcaption>\(legend)\
        \(Plot.Shape.allCases.map(picture))</figure>

        """
    }

    private var legend: Markup {
        let keys: [(String, String, Int)] = [
            ("area", "submitted", submitted.last ?? 0), ("line", "succeeded", succeeded.last ?? 0),
            ("dashed", "did not succeed", others.last ?? 0),
        ]
        return Markup(
            [#"<ul class="legend">"#]
                + keys.map { kind, name, count in
                    """
                    <li><svg class="key" viewBox="0 0 24 12" aria-hidden="true">\(key(kind))</svg>\(name) \
                    <b>\(Format.count(count))</b></li>
                    """
                } + ["</ul>"]
        )
    }

    private func key(_ kind: String) -> Markup {
        switch kind {
        case "area": #"<path class="area" d="M0 12V3H24V12z"/><path class="submitted" d="M0 3H24"/>"#
        case "line": #"<path class="succeeded" d="M0 6H24"/>"#
        default: #"<path class="others" d="M0 6H24"/>"#
        }
    }

    private func picture(_ shape: Plot.Shape) -> Markup {
        let plot = Plot(shape: shape)
        let scale = Scale(upTo: max(submitted.last ?? 0, succeeded.last ?? 0, others.last ?? 0))
        let axis = TimeAxis(from: timeline.start, to: timeline.end)
        let above = path(submitted, plot, scale)
        return plot.picture(
            id: "timeline",
            title: "Instances over time",
            summary: """
                From \(timeline.start) to \(timeline.end): \(submitted.last ?? 0) submitted, \
                \(succeeded.last ?? 0) succeeded, \(others.last ?? 0) did not.
                """,
            [plot.grid(scale)] + axis.labels(most: shape.mostLabels).map { plot.label($0.text, at: $0.share) }
                + [
                    #"<path class="area" d="\#(above)V\#(plot.baseline)H\#(plot.left)z"/>"#,
                    #"<path class="submitted" d="\#(above)"/>"#,
                    #"<path class="succeeded" d="\#(path(succeeded, plot, scale))"/>"#,
                    (others.last ?? 0) > 0 ? #"<path class="others" d="\#(path(others, plot, scale))"/>"# : .none,
                ]
        )
    }

    /// From nothing at the start through the end of each step.
    private func path(_ sums: [Int], _ plot: Plot, _ scale: Scale) -> Markup {
        let width = Double(sums.count)
        var path: Markup = "M\(plot.left) \(plot.baseline)"
        for (index, sum) in sums.enumerated() {
            let point: Markup = "L\(plot.x(Double(index + 1) / width)) \(plot.y(Double(sum) / scale.end))"
            path.html += point.html
        }
        return path
    }
}
