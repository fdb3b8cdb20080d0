/// The samples of one metric, as Prometheus has them.
public struct MetricFamily: Hashable, Sendable {
    /// What the samples are.
    public enum Kind: String, Hashable, Sendable {
        /// Only grows while the process lives.
        case counter
        /// Goes up and down.
        case gauge
        /// How many observations fell under each of some bounds.
        case histogram
    }

    /// One line.
    public struct Sample: Hashable, Sendable {
        /// What follows the family's name: nothing, or `_bucket`, `_sum` or `_count` of a histogram.
        let suffix: String
        /// Names and values, in the order in which they are written.
        let labels: [Label]
        let value: Double
    }

    /// A label of a sample.
    public struct Label: Hashable, Sendable {
        let name: String
        let value: String
    }

    /// Letters, digits, `_` and `:`.
    public let name: String
    /// What it means, for people.
    public let help: String
    /// What the samples are.
    public let kind: Kind
    var samples: [Sample] = []

    /// Creates a family without samples.
    public init(_ name: String, _ kind: Kind, help: String) {
        self.name = Name.metric(name)
        self.help = help
        self.kind = kind
    }

    /// Creates a family of one sample without labels.
    public init(_ name: String, _ kind: Kind, help: String, value: Double) {
        self.init(name, kind, help: help)
        add(value)
    }

    /// Adds a sample.
    public mutating func add(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
        add(value, suffix: "", labels.map { Label(name: Name.label($0.key), value: $0.value) })
    }

    mutating func add(_ value: Double, suffix: String, _ labels: [Label]) {
        samples.append(Sample(suffix: suffix, labels: labels, value: value))
    }
}

/// Makes names of what is not one (https://prometheus.io/docs/concepts/data_model/).
enum Name {
    static func metric(_ text: String) -> String {
        cleaned(text) { $0 == ":" }
    }

    /// Names that begin with two underscores are Prometheus's own.
    static func label(_ text: String) -> String {
        let name = cleaned(text) { _ in false }
        guard name.hasPrefix("__") else { return name }
        return "_" + name.drop { $0 == "_" }
    }

    private static func cleaned(_ text: String, _ isAllowedToo: (Unicode.Scalar) -> Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            if isDigit, name.isEmpty { name = "_" }
            name.unicodeScalars.append(isLetter || isDigit || isAllowedToo(scalar) ? scalar : "_")
        }
        return name.isEmpty ? "_" : name
    }
}
