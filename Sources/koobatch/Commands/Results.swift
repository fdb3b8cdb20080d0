import ArgumentParser
import KoobatchCore
import KoobatchStore

/// `koobatch results`.
struct Results: AsyncParsableCommand {
    /// How results are printed.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table
        case csv
        case json
        case jsonl
    }

    static let configuration = CommandConfiguration(
        abstract: "Prints the result of every instance of a job.",
        discussion: """
            In the order of the job's chunks, as it was at one moment, however many instances \
            there are. csv is RFC 4180 with a header line; json is one array, jsonl an object \
            a line.

            What a device prints may be a formula of a spreadsheet, which runs when the file \
            is opened there. In csv an apostrophe stands before each field that begins with \
            = + - @ or a control character, so that it is taken for text; koobatch submit \
            takes it away again, and --csv-raw leaves it out, for other programs.

              koobatch results 7
              koobatch results 7 --state failed,rejected,unknown
              koobatch results 7 --format csv > results.csv
              koobatch results 7 --format jsonl | jq -r 'select(.chunk_id == 91)'

            The table shows control characters of outputs as \\n or \\u{1b}; the other formats \
            print what is stored. In what the API sends, U+FFFD stands for what is no text: \
            bytes that are not UTF-8, halves of surrogate pairs, U+0000.
            """
    )

    @Argument(help: "The id of a job.")
    var id: CommandJobID

    @Option(help: "table, csv, json or jsonl.")
    var format = Format.table

    @Option(
        help: ArgumentHelp("Only instances in these states, separated by commas.", valueName: "states"),
        completion: .list(InstanceState.allCases.map(\.rawValue))
    )
    var state: [String] = []

    @Flag(help: "With csv: do not mark fields that a spreadsheet would take for formulas.")
    var csvRaw = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var common: CommonOptions

    private var stateNames: [String] { state.flatMap { $0.split(separator: ",").map(String.init) } }

    func validate() throws {
        for name in stateNames where InstanceState(rawValue: name) == nil {
            let known = InstanceState.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--state: '\(name)' is none of \(known)")
        }
        if csvRaw, format != .csv { throw ValidationError("--csv-raw is for --format csv only") }
        if output.json, format == .csv { throw ValidationError("Choose one of --json and --format csv") }
    }

    func run() async throws {
        try await reporting {
            let client = try common.client(for: .reading)
            let states = Set(stateNames.compactMap(InstanceState.init))
            let results = try InstanceResults(of: id, in: states, from: client)
            let printer = StandardOutput()
            switch output.json && format == .table ? .json : format {
            case .table: try ResultTable(results).print(to: printer)
            case .csv: try csv(results, printer)
            case .json: try json(results, printer)
            case .jsonl: try results.forEach { try printer.line($0.json.line) }
            }
            try printer.flush()
        }
    }

    private func json(_ results: InstanceResults, _ printer: StandardOutput) throws {
        var separator = "[\n"
        try results.forEach { result in
            try printer.write(separator + result.json.line)
            separator = ",\n"
        }
        try printer.line(separator == ",\n" ? "\n]" : "[]")
    }

    private func csv(_ results: InstanceResults, _ printer: StandardOutput) throws {
        try printer.write(InstanceStatus.columns.joined(separator: ",") + "\r\n")
        try results.forEach { result in
            let fields = result.values.map { CSVField.written($0 ?? "", isMarked: !csvRaw) }
            try printer.write(fields.joined(separator: ",") + "\r\n")
        }
    }
}

extension InstanceStatus {
    /// The columns of `instance_status`, the telling ones first.
    static let columns = [
        "instance_id", "state", "error_code", "error_msg", "output", "chunk_id", "task_id", "job_id", "submitted_at",
        "finished_at",
    ]

    /// The values of `columns`.
    var values: [String?] {
        [
            instanceID, state.rawValue, errorCode, errorMessage, output, chunkID.map { "\($0)" }, taskID, jobID,
            submittedAt, finishedAt,
        ]
    }

    /// The row as an object with the names of the columns.
    var json: JSONValue {
        .object(
            zip(Self.columns, values).map { name, value in
                (name, name == "chunk_id" ? .optional(chunkID) : .optional(value))
            }
        )
    }
}
