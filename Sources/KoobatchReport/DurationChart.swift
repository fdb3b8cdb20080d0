import KoobatchCore
import KoobatchStore

/// How long results took: bars over bins of equal width, or of equal ratio where the times differ much.
struct DurationChart {
    struct Bin {
        let from: Double
        let to: Double
        var instances = 0
    }

    private let durations: [JobReport.DurationCount]
    private let total: Int
    let bins: [Bin]

    /// `nil` when there is no result.
    init?(_ durations: [JobReport.DurationCount]) {
        guard let shortest = durations.first?.seconds, let longest = durations.last?.seconds else { return nil }
        self.durations = durations
        total = durations.reduce(0) { $0 + $1.instances }
        var bins = longest > 20 * max(shortest, 0.01) ? Self.ratios(shortest, longest) : Self.equal(shortest, longest)
        for duration in durations {
            let index = bins.firstIndex { duration.seconds < $0.to } ?? bins.count - 1
            bins[index].instances += duration.instances
        }
        self.bins = bins
    }

    /// At most 24, and no narrower than what times are rounded to.
    private static func equal(_ shortest: Double, _ longest: Double) -> [Bin] {
        var (width, power) = (0.001, 0.001)
        var factors = [2.0, 5, 10]
        while (longest - shortest) / width >= 23 || width < rounding(of: longest) {
            width = power * factors.removeFirst()
            if factors.isEmpty {
                power *= 10
                factors = [2, 5, 10]
            }
        }
        let first = Int((shortest / width + 1e-6).rounded(.down))
        let last = Int((longest / width + 1e-6).rounded(.down))
        return (first...last).map { Bin(from: Double($0) * width, to: Double($0 + 1) * width - width * 1e-6) }
    }

    /// Two significant digits.
    private static func rounding(of seconds: Double) -> Double {
        var unit = 0.001
        while seconds >= 100 * unit { unit *= 10 }
        return unit * 0.999
    }

    /// Five to each power of ten.
    private static func ratios(_ shortest: Double, _ longest: Double) -> [Bin] {
        var edges: [Double] = []
        var power = 0.01
        while edges.last ?? 0 <= longest {
            edges += [1, 1.6, 2.5, 4, 6.3].map { $0 * power }
            power *= 10
        }
        let bins = zip(edges, edges.dropFirst()).map { Bin(from: $0 == edges[0] ? 0 : $0, to: $1) }
        return bins.filter { $0.to > shortest && $0.from <= longest }
    }

    /// The time within which a share of the results came.
    func quantile(_ share: Double) -> Double {
        var sum = 0
        for duration in durations {
            sum += duration.instances
            if Double(sum) >= share * Double(total) { return duration.seconds }
        }
        return durations.last?.seconds ?? 0
    }

    var figure: Markup {
        """
        <figure><figcaption>Instances by the time from submission to result</figcaption>\
        <ul class="legend">\(facts)</ul>\(Plot.Shape.allCases.map(picture))</figure>\
        <p class="quiet">Results are asked for from time to time, less often the longer they take: a time is that of the \
        question that found the result, and so somewhat longer than the command took.</p>

        """
    }

    private var facts: [Markup] {
        [
            ("half within", quantile(0.5)), ("95% within", quantile(0.95)), ("99% within", quantile(0.99)),
            ("the slowest", durations.last?.seconds ?? 0),
        ].map { name, seconds in "<li>\(name) <b>\(Format.duration(seconds))</b></li>" }
    }

    private func picture(_ shape: Plot.Shape) -> Markup {
        let plot = Plot(shape: shape)
        let scale = Scale(upTo: bins.map(\.instances).max() ?? 0)
        let width = plot.innerWidth / Double(bins.count)
        let every = (bins.count + shape.mostLabels - 1) / shape.mostLabels
        var content = [plot.grid(scale)]
        for (index, bin) in bins.enumerated() {
            let share = Double(index) / Double(bins.count)
            if index % every == 0 { content.append(plot.label(Format.duration(bin.from), at: share)) }
            if bin.instances == 0 { continue }
            let height = plot.y(Double(bin.instances) / scale.end)
            content.append(
                """
                <rect class="s-submitted" x="\(plot.x(share) + 1)" y="\(height)" width="\(max(width - 2, 1))" \
                height="\(max(plot.baseline - height, 0.7))"/>
                """
            )
        }
        return plot.picture(
            id: "durations",
            title: "Time from submission to result",
            summary: "Half of the results came within \(Format.duration(quantile(0.5))), 95% within "
                + "\(Format.duration(quantile(0.95))), all within \(Format.duration(durations.last?.seconds ?? 0)).",
            content
        )
    }
}
