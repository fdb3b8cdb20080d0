import MetricsEndpoint

extension Settings {
    /// The ways out for what is measured, beside `koobatch metrics`.
    struct Metrics: Hashable, Sendable {
        /// Where a scraper may ask; `nil` for nowhere.
        let listen: EndpointAddress?
        /// The file for node_exporter's textfile collector; `nil` for none.
        let file: String?
    }

    static func metrics(_ reader: inout SettingsReader) -> Metrics {
        let listen = reader.text(.metricsListen)
        let address = listen.flatMap { EndpointAddress($0) }
        if let listen, address == nil { reader.problem(.metricsListen, "\(EndpointAddress.rule), not \(listen)") }
        let file = reader.text(.metricsFile)
        if let file, !file.hasPrefix("/") || !file.hasSuffix(".prom") {
            reader.problem(.metricsFile, "must be an absolute path that ends in .prom, not \(file)")
        }
        return Metrics(listen: address, file: file)
    }
}
