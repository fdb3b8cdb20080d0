import ArgumentParser
import KoobatchCore
import KoobatchStore

/// The arguments of the subcommands that steer jobs, and how they go about it.
struct SteeringOptions: ParsableArguments {
    @Argument(help: "The ids of the jobs.")
    var ids: [CommandJobID]

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    /// Steers the jobs one after another and says what happened; one that is refused does not keep back the others.
    ///
    /// - Parameters:
    ///   - control: what to tell them.
    ///   - sentence: what to say of a job that obeyed.
    /// - Throws: `Failure` at the end, with what was refused.
    func steer(_ control: JobControl, sentence: (JobStatus, JobStatus) -> String) async throws {
        let client = try common.client(for: .writing)
        let printer = StandardOutput()
        var refusals: [String] = []
        var jobs: [JSONValue] = []
        for id in ids {
            do {
                let (before, after) = try client.steer(id, control)
                jobs.append(after.json)
                let isNew = before.state != after.state
                let what = isNew ? sentence(before, after) : "is \(after.state.rawValue) already"
                if !output.json { try printer.line("job \(id.rawValue) \(what)") }
            } catch StoreError.refused(let reason) {
                refusals.append("job \(id.rawValue): \(reason)")
            } catch let error as StoreError where error == .noJob(id: id.rawValue) {
                refusals.append("\(error)")
            }
        }
        if output.json { try printer.line(JSONValue.lines(jobs)) }
        try printer.flush()
        if !refusals.isEmpty { throw Failure(code: .failure, refusals.joined(separator: "\nkoobatch: ")) }
    }
}
