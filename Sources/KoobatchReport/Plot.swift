/// The area of a chart in its own units, with room for the axes, and its scales.
struct Plot {
    /// Charts come in two shapes, of which the page shows the one that fits the screen: text keeps its size.
    enum Shape: String, CaseIterable {
        case wide
        case narrow

        var width: Double { self == .wide ? 880 : 360 }
        var height: Double { self == .wide ? 260 : 230 }
        /// Labels on the axis of time or durations at most.
        var mostLabels: Int { self == .wide ? 8 : 4 }
    }

    let shape: Shape
    let left = 52.0
    let right = 14.0
    let top = 12.0
    let bottom = 30.0

    var innerWidth: Double { shape.width - left - right }
    var innerHeight: Double { shape.height - top - bottom }
    var baseline: Double { shape.height - bottom }

    /// The place of a share of the width.
    func x(_ share: Double) -> Double { left + min(max(share, 0), 1) * innerWidth }

    /// The place of a share of the height.
    func y(_ share: Double) -> Double { baseline - min(max(share, 0), 1) * innerHeight }

    /// A whole SVG picture; `title` and `summary` are for those who cannot see it.
    func picture(id: String, title: String, summary: String, _ content: [Markup]) -> Markup {
        """
        <svg class="chart \(shape.rawValue)" viewBox="0 0 \(shape.width) \(shape.height)" role="img" \
        aria-labelledby="\(id)-\(shape.rawValue)-t \(id)-\(shape.rawValue)-d">\
        <title id="\(id)-\(shape.rawValue)-t">\(title)</title>\
        <desc id="\(id)-\(shape.rawValue)-d">\(summary)</desc>\(content)</svg>

        """
    }

    /// Horizontal lines with their numbers, from 0 to the scale's end.
    func grid(_ scale: Scale) -> Markup {
        Markup(
            scale.ticks.map { tick in
                let height = y(tick / scale.end)
                return """
                    <path class="\(tick == 0 ? "axis" : "grid")" d="M\(left) \(height)H\(shape.width - right)"/>\
                    <text class="tick" x="\(left - 7)" y="\(height + 4)" text-anchor="end">\(Format.short(tick))</text>
                    """
            }
        )
    }

    /// A label under the horizontal axis; one near an end is moved in.
    func label(_ text: String, at share: Double) -> Markup {
        let anchor = share > 0.95 ? "end" : share < 0.03 ? "start" : "middle"
        return """
            <path class="axis" d="M\(x(share)) \(baseline)v5"/>\
            <text class="tick" x="\(x(share))" y="\(baseline + 19)" text-anchor="\(anchor)">\(text)</text>
            """
    }
}

/// An axis from 0 to a round number.
struct Scale {
    let ticks: [Double]

    var end: Double { ticks.last ?? 1 }

    /// Four to six steps of 1, 2 or 5 times a power of ten, and never fractions of what is counted.
    init(upTo most: Int) {
        var step = 1
        var factors = [2, 5, 10]
        var power = 1
        while (most + step - 1) / step > 5 {
            step = power * factors.removeFirst()
            if factors.isEmpty {
                power *= 10
                factors = [2, 5, 10]
            }
        }
        let steps = max(1, (most + step - 1) / step)
        ticks = (0...steps).map { Double($0 * step) }
    }
}
