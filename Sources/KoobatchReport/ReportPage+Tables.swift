import KoobatchCore
import KoobatchStore

/// The tables of the page. Each has room of its own, in bytes, that a hostile text cannot widen.
extension ReportPage {
    private static let roomForOutputs = 160_000
    private static let roomForUnsuccessful = 160_000
    private static let roomForRequests = 60_000

    var requests: Markup {
        guard let timeline = report.timeline, !report.requests.isEmpty else {
            return section("requests", "Requests and faults", "<p>Nothing has been sent.</p>")
        }
        let repeats = report.repeats
        let facts = [
            Format.count(report.requests.reduce(0) { $0 + $1.requests }, "request"),
            "for \(Format.count(repeats.chunks, "chunk"))",
        ]
        let sentence =
            facts.joined(separator: " ")
            + ", \(Format.count(repeats.retries)) of them again. "
            + (repeats.splits > 0
                ? "\(Format.count(repeats.splits, "chunk")) halved to find the instances that the API refuses. " : "")
            + "Results were asked for \(Format.count(repeats.polls, "time"))."
        let rows: [Markup] = report.requests.map { group in
            let took: Markup =
                group.averageSeconds.map { average in
                    "\(Format.duration(average)) <span class=\"quiet\">up to \(Format.duration(group.longestSeconds ?? average))</span>"
                } ?? "–"
            let answer = [group.httpStatus.map { "HTTP \($0)" }, group.errorCode].compactMap(\.self).joined(
                separator: " "
            )
            return """
                <tr><td class="number">\(Format.count(group.requests))</td><td>\(words(group.outcome.rawValue))</td>\
                <td><bdi>\(Format.beginning(answer, 100))</bdi>\(sentenceOf(group.message))</td><td class="took">\(took)</td></tr>

                """
        }
        let table = table(
            caption: "Requests by what came of them",
            heads: ["Requests", "Outcome", "Answer", "Took"],
            rows.fitting(bytes: Self.roomForRequests).markup
        )
        return section(
            "requests",
            "Requests and faults",
            "<p>\(sentence)</p>\(RequestsChart(timeline).figure)\(table)"
        )
    }

    var results: Markup {
        guard !report.outputs.isEmpty else {
            return section("results", "Results", "<p>There is no result yet.</p>")
        }
        let most = report.outputs.map(\.instances).max() ?? 1
        let rows: [Markup] = report.outputs.map { output in
            let share = Format.decimal(100 * Double(output.instances) / Double(max(most, 1)), places: 1)
            let nothing: Markup = output.errorCode == nil ? "<i class=\"quiet\">nothing printed</i>" : .none
            let text: Markup =
                output.text.flatMap { text in
                    text.isEmpty ? nil : "<pre><bdi>\(Format.beginning(text, 1_100))</bdi></pre>"
                } ?? nothing
            return """
                <tr><td class="number">\(Format.count(output.instances))\
                <svg class="share" width="100%" height="4" aria-hidden="true"><rect class="s-\(output.state.rawValue)" \
                width="\(share)%" height="4"/></svg></td><td>\(output.state.rawValue)</td>\
                <td>\(code(output.errorCode))\(text)</td><td><code><bdi>\(output.example)</bdi></code></td></tr>

                """
        }
        let (fitting, count) = rows.fitting(bytes: Self.roomForOutputs)
        let rest = report.distinctOutputs - count
        let more: Markup = rest > 0 ? "<p class=\"quiet\">And \(Format.count(rest)) more distinct results.</p>" : .none
        let table = table(
            caption: "Distinct results, commonest first",
            heads: ["Instances", "State", "Result", "Example"],
            fitting
        )
        return section("results", "Results", "\(table)\(more)")
    }

    var unsuccessful: Markup {
        let job = report.job
        let all = [InstanceState.failed, .rejected, .unknown].reduce(0) { $0 + (job.instances[$1] ?? 0) }
        guard all > 0 else {
            return section(
                "unsuccessful",
                "Instances that did not succeed",
                "<p>None failed, was rejected or got lost.</p>"
            )
        }
        let rows: [Markup] = report.unsuccessful.map { instance in
            """
            <tr><td><code><bdi>\(instance.instance)</bdi></code></td><td>\(instance.state.rawValue)</td>\
            <td>\(code(instance.errorCode))\(sentenceOf(instance.message))</td>\
            <td>\(instance.finishedAt.map(Format.time) ?? "–")</td></tr>

            """
        }
        let (fitting, count) = rows.fitting(bytes: Self.roomForUnsuccessful)
        let rest = all - count
        let more: Markup =
            rest > 0
            ? """
            <p class="quiet">And \(Format.count(rest)) more: \
            <code>SELECT * FROM instance_status WHERE command_job_id = \(Int(job.id.rawValue)) \
            AND state IN ('failed', 'rejected', 'unknown')</code></p>
            """ : .none
        let table = table(
            caption: rest > 0
                ? "The first \(Format.count(count)) of \(Format.count(all))" : Format.count(all, "instance"),
            heads: ["Instance", "State", "Error", "Ended"],
            fitting
        )
        return section("unsuccessful", "Instances that did not succeed", "\(table)\(more)")
    }

    private func section(_ id: String, _ title: String, _ content: Markup) -> Markup {
        "<section aria-labelledby=\"\(id)\"><h2 id=\"\(id)\">\(title)</h2>\(content)</section>\n"
    }

    /// A table that scrolls by itself where it is too wide.
    private func table(caption: String, heads: [String], _ rows: Markup) -> Markup {
        """
        <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table><caption>\(caption)</caption>
        <thead><tr>\(heads.map { head in "<th scope=\"col\">\(head)</th>" as Markup })</tr></thead>
        <tbody>
        \(rows)</tbody></table></div>

        """
    }

    private func code(_ code: String?) -> Markup {
        code.map { "<code><bdi>\(Format.beginning($0, 100))</bdi></code> " } ?? .none
    }

    private func sentenceOf(_ message: String?) -> Markup {
        guard let message, !message.isEmpty else { return .none }
        return " <span class=\"quiet\"><bdi>\(Format.beginning(message, 240))</bdi></span>"
    }

    private func words(_ outcome: String) -> String {
        outcome.replacing("_", with: " ")
    }
}
