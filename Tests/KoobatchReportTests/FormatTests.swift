import KoobatchCore
import KoobatchStore
import Testing

@testable import KoobatchReport

@Suite("Numbers and times of a report")
struct FormatTests {
    @Test(
        "shares are neither 0% of something nor 100% of less than all",
        arguments: [
            (0, 10, "0%"), (1, 1_000_000, "<0.1%"), (999_999, 1_000_000, ">99.9%"), (5, 5, "100%"), (1, 3, "33.3%"),
            (0, 0, "0%"),
        ]
    )
    func percent(part: Int, whole: Int, text: String) {
        #expect(Format.percent(part, of: whole) == text)
    }

    @Test(
        "durations have their two largest units",
        arguments: [
            (0, "0 ms"), (0.85, "850 ms"), (1.25, "1.3 s"), (59.4, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"),
            (200_000, "2 d 7 h"), (86_400, "1 d"),
        ]
    )
    func durations(seconds: Double, text: String) {
        #expect(Format.duration(seconds) == text)
    }

    @Test("counts have commas", arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")])
    func counts(number: Int, text: String) {
        #expect(Format.count(number) == text)
    }

    @Test(
        "a scale is round, holds the most, and has few steps",
        arguments: [0, 1, 4, 5, 6, 37, 64, 999, 1_000, 999_999]
    )
    func scale(most: Int) {
        let scale = Scale(upTo: most)
        #expect(scale.end >= Double(most) && scale.end > 0)
        #expect((2...6).contains(scale.ticks.count), "\(scale.ticks)")
        #expect(scale.ticks.allSatisfy { $0 == $0.rounded() })
    }

    @Test(
        "a timeline has at most 200 steps of a round length that cover the whole time",
        arguments: [0, 1, 999, 2_000, 2_001, 95_000, 3_600_000, 86_400_000, 30 * 86_400_000, 3_650 * 86_400_000]
            as [Int64]
    )
    func timeline(milliseconds: Int64) {
        let end = Reports.start + .milliseconds(milliseconds)
        let timeline = JobReport.Timeline(from: Reports.start, to: end)
        #expect((1...200).contains(timeline.steps.count))
        #expect(timeline.end > end)
        let labels = TimeAxis(from: timeline.start, to: timeline.end).labels(most: 8)
        #expect(labels.count <= 9 && labels.allSatisfy { (0...1).contains($0.share) })
        #expect(Set(labels.map(\.text)).count == labels.count)
    }

    @Test(
        "every duration is in a bin",
        arguments: [
            [0.0], [0.5, 0.5], [0.01, 5_000], [2.7, 3.7], [10, 11, 12], [0, 0.004], [100, 990], [0.0, 90_000],
        ]
    )
    func bins(seconds: [Double]) throws {
        let chart = try #require(DurationChart(seconds.map { .init(seconds: $0, instances: 3) }))
        #expect(chart.bins.reduce(0) { $0 + $1.instances } == 3 * seconds.count)
        #expect(chart.bins.count <= 40)
        let longest = try #require(seconds.max())
        #expect((chart.bins.last?.instances ?? 0) > 0 && (chart.bins.last?.from ?? 0) <= longest * 1.001)
        for (bin, next) in zip(chart.bins, chart.bins.dropFirst()) {
            #expect(abs(bin.to - next.from) < next.from * 1e-3)
        }
        #expect(chart.quantile(1) == seconds.max())
    }
}
