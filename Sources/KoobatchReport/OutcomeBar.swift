import KoobatchCore
import KoobatchStore

/// The instances of a job by state, as one bar and its legend.
struct OutcomeBar {
    private static let order: [InstanceState] = [
        .succeeded, .failed, .rejected, .unknown, .submitted, .pending, .cancelled,
    ]
    /// What there is of a state at all is seen, in percent of the bar.
    private static let least = 0.6

    private let parts: [(state: InstanceState, count: Int)]
    private let total: Int

    init(_ job: JobReport.Facts) {
        parts = Self.order.map { ($0, job.instances[$0] ?? 0) }.filter { $0.1 > 0 }
        total = job.total
    }

    var figure: Markup {
        let summary = parts.map { "\(Format.count($0.count)) \($0.state.rawValue)" }.joined(separator: ", ")
        return """
            <figure><svg class="bar" role="img" width="100%" height="34" aria-label="\(summary)">\(segments)</svg>\
            <ul class="legend">\(legend)</ul></figure>

            """
    }

    private var segments: [Markup] {
        let shares = parts.map { max(Self.least, 100 * Double($0.count) / Double(max(total, 1))) }
        let sum = shares.reduce(0, +)
        var left = 0.0
        return zip(parts, shares).map { part, share in
            let width = 100 * share / sum
            defer { left += width }
            let place: Markup = """
                x="\(Self.percent(left))" width="\(Self.percent(max(width - 0.15, 0.3)))" height="34"
                """
            let style = part.state.rawValue
            return "<rect class=\"s-\(style)\" \(place)/>\(Hatch.over(style, in: place))"
        }
    }

    private static func percent(_ number: Double) -> String { Format.decimal(number, places: 2) + "%" }

    private var legend: [Markup] {
        parts.map { part in
            let style = part.state.rawValue
            return """
                <li><svg class="key" viewBox="0 0 24 12" aria-hidden="true"><rect class="s-\(style)" width="24" \
                height="12"/>\(Hatch.over(style, in: "width=\"24\" height=\"12\""))</svg>\(style) \
                <b>\(Format.count(part.count))</b> <span class="quiet">\(Format.percent(part.count, of: total))</span></li>
                """
        }
    }
}
