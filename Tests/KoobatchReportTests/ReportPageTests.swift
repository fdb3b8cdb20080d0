import KoobatchCore
import KoobatchStore
import Testing

@testable import KoobatchReport

@Suite("The page of a report")
struct ReportPageTests {
    enum Example: CaseIterable {
        case queued, running, single, largest

        var report: JobReport {
            switch self {
            case .queued: Reports.queued
            case .running:
                Reports.report(
                    Reports.facts(state: .running, instances: [.pending: 3, .submitted: 1]),
                    timeline: JobReport.Timeline(from: Reports.start, to: Reports.start)
                )
            case .single: Reports.single
            case .largest: Reports.largest(text: "<\"'&>")
            }
        }
    }

    private func page(_ report: JobReport) -> String {
        ReportPage(report, version: "1.2.3").html
    }

    @Test("opens and closes every element, and uses every id once", arguments: Example.allCases)
    func wellFormed(example: Example) throws {
        let html = page(example.report)
        let empty: Set = ["meta", "!DOCTYPE"]
        var open: [Substring] = []
        for tag in html.matches(of: /<(\/?)([A-Za-z!][A-Za-z0-9]*)((?:[^<>"]|"[^"<>]*")*)>/) {
            let (_, slash, name, rest) = tag.output
            if empty.contains(String(name)) || rest.hasSuffix("/") { continue }
            if slash.isEmpty {
                open.append(name)
            } else {
                #expect(open.popLast() == name)
            }
        }
        #expect(open.isEmpty)
        let ids = html.matches(of: #/ id="([^"]*)"/#).map(\.output.1)
        #expect(Set(ids).count == ids.count)
        for reference in html.matches(of: /(?:aria-labelledby="|url\(#)([^")]*)/) {
            for id in reference.output.1.split(separator: " ") { #expect(ids.contains(id), "\(id)") }
        }
    }

    @Test("needs nothing from elsewhere and runs nothing", arguments: Example.allCases)
    func selfContained(example: Example) {
        let html = page(example.report)
        for word in ["http:", "https:", "<script", "<link", "<img", "<iframe", "src=", "@import", "url(h", " on"] {
            let hits = html.ranges(of: word).map { html[$0.lowerBound...].prefix(20) }
            #expect(hits.filter { word != " on" || $0.contains("=\"") }.isEmpty, "\(word)")
        }
        #expect(html.contains("default-src 'none'"))
    }

    @Test(
        "stays below 500 kB with everything as long and hostile as can be",
        arguments: ["<", "\"", "&", "\u{0}", "\u{202E}", "語", "a", "\n"]
    )
    func size(text: String) {
        let html = page(Reports.largest(text: text))
        #expect(html.utf8.count < 500_000, "\(html.utf8.count)")
        #expect(html.contains("more distinct results."))
        #expect(html.contains("AND state IN (&#39;failed&#39;") || html.contains("AND state IN ('failed'"))
    }

    @Test("of a job that has not started says so")
    func queued() {
        let html = page(Reports.queued)
        #expect(html.contains("<title>Job 7: queued</title>"))
        #expect(html.contains("The job has not started."))
        #expect(html.contains("Nothing has been sent."))
        #expect(html.contains("There is no result yet."))
        #expect(html.contains("None failed, was rejected or got lost."))
        #expect(!html.contains("<dt>Started</dt>"))
    }

    @Test("of a job of one instance tells its whole story")
    func single() {
        let html = page(Reports.single)
        #expect(html.contains("<h1>Job 7</h1>"))
        #expect(html.contains("<span class=\"state succeeded\"><span aria-hidden=\"true\">✓</span> succeeded</span>"))
        #expect(html.contains("<code><bdi>ls -l /system</bdi></code>"))
        #expect(html.contains("<dt>Succeeded</dt><dd>100%</dd>"))
        #expect(html.contains("<dt>Took</dt><dd>1 min 34 s</dd>") || html.contains("<dt>Took</dt><dd>1 min 35 s</dd>"))
        #expect(html.contains("half within <b>1.5 s</b>"))
        #expect(html.contains("succeeded <b>1</b> <span class=\"quiet\">100%</span>"))
        #expect(html.contains("<pre><bdi>ok</bdi></pre>"))
        #expect(html.contains("<td>accepted</td><td><bdi>HTTP 200</bdi></td>"))
        #expect(html.contains("<time datetime=\"\(Reports.start)\">"))
        #expect(html.contains("1.2.3"))
    }

    @Test(
        "takes no text for markup, wherever it comes from",
        arguments: [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\"><img src=x onerror=alert(1)>", "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"),
            ("' onmouseover='x", "&#39; onmouseover=&#39;x"), ("&lt;", "&amp;lt;"),
            ("</style></title>", "&lt;/style&gt;"),
            ("nul \u{0} esc \u{1B}[31m del \u{7F}", "nul ␀ esc ␛[31m del ␡"), ("\u{202E}evil", "\u{FFFD}evil"),
            ("\u{85}\u{9B}\u{FFFE}\u{1FFFF}", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("]]> <!-- -->", "]]&gt; &lt;!-- --&gt;"),
            (String(decoding: [0x61, 0xFF, 0xC0, 0x80, 0x62], as: UTF8.self), "a\u{FFFD}\u{FFFD}\u{FFFD}b"),
        ]
    )
    func hostile(text: String, written: String) {
        var timeline = JobReport.Timeline(from: Reports.start, to: Reports.start)
        timeline.change(0) { $0.requests = [.refused: 1] }
        let html = page(
            Reports.report(
                Reports.facts(label: text, command: text, reason: text, instances: [.failed: 1]),
                timeline: timeline,
                outputs: [.init(state: .failed, errorCode: text, text: text, instances: 1, example: text)],
                unsuccessful: [
                    .init(
                        instance: text,
                        chunk: ChunkID(rawValue: 1),
                        state: .failed,
                        errorCode: text,
                        message: text,
                        finishedAt: nil
                    )
                ],
                requests: [Reports.request(.refused, status: nil, count: 1, code: text, message: text)]
            )
        )
        #expect(html.ranges(of: written).count >= 11)
        #expect(!html.contains("<script") && !html.contains("<img") && !html.contains("<!--"))
        #expect(html.ranges(of: "</style>").count == 1 && html.ranges(of: "</title>").count == 5)
        #expect(!html.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || (0x7F..<0xA0).contains($0.value) })
    }
}
