/// The API's acceptance of a submission as JSON, in parts, so that each part can be made wrong.
///
/// Texts are written into it as they are: escaped for JSON already, without quotes.
struct Acceptance {
    /// One element of `cmd_jobs`.
    struct Entry {
        var instance: String
        var job: String
    }

    /// A literal of JSON; `nil` leaves the name out.
    var task: String?
    var entries: [Entry]
    /// A literal of JSON.
    var code = #""0""#
    var message = "success"
    /// Members of the outer object, of `data` and of each element of `cmd_jobs`, each with a comma before it.
    var extra = ""
    var dataExtra = ""
    var entryExtra = ""
    /// A literal of JSON in place of the array of jobs.
    var jobs: String?
    /// What stands around the whole.
    var prefix = ""
    var suffix = ""

    /// The instances that were asked for.
    private let asked: Set<String>

    init(task: String, entries: [Entry]) {
        self.task = "\"\(task)\""
        self.entries = entries
        asked = Set(entries.map(\.instance))
    }

    var text: String {
        let list = entries.map { #"{"instance_id":"\#($0.instance)","job_id":"\#($0.job)"\#(entryExtra)}"# }
        let members = [
            task.map { #""task_id":\#($0)"# }, #""cmd_jobs":\#(jobs ?? "[\(list.joined(separator: ","))]")"#,
        ]
        let data = members.compactMap(\.self).joined(separator: ",") + dataExtra
        return #"\#(prefix){"data":{\#(data)},"error_code":\#(code),"error_msg":"\#(message)"\#(extra)}\#(suffix)"#
    }

    /// Whether it says something twice and differently, so that nothing may be taken from it.
    var isContradictory = false

    /// The mappings that the answer gives, without instances of two jobs and jobs of two instances.
    var mappings: [AnswerScript.Mapping] {
        guard let task, jobs == nil, !isContradictory else { return [] }
        let name = task.hasPrefix("\"") ? String(task.dropFirst().dropLast()) : task
        let pairs = Set(entries.map { [$0.instance, $0.job] })
        let instances = Dictionary(pairs.map { ($0[0], 1) }, uniquingKeysWith: +)
        let jobs = Dictionary(pairs.map { ($0[1], 1) }, uniquingKeysWith: +)
        return pairs.filter { instances[$0[0]] == 1 && jobs[$0[1], default: 1] == 1 }
            .map { AnswerScript.Mapping(task: name, instance: $0[0], job: $0[1]) }
    }
}
