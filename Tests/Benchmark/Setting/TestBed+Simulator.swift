import Foundation

extension TestBed {
    /// A submission as the simulator met it.
    struct Arrival: Decodable {
        /// Since 1970.
        let microseconds: Int64
        /// The first that it names.
        let instance: String

        private enum CodingKeys: String, CodingKey {
            case microseconds
            case instance = "instance_id"
        }
    }

    /// Asks the simulator for something that the real API does not have, and returns its answer.
    @discardableResult
    func control(_ method: String, _ path: String, _ body: String = "") throws -> String {
        guard let port = URL(string: endpoint)?.port else { throw Failed(description: "no port: \(endpoint)") }
        return try LocalRequest.send(method, path, body: body, to: .port(port))
    }

    /// Replaces the fault plan of the simulator.
    func faults(_ plan: String) throws {
        try control("PUT", "/sim/faults", plan)
    }

    /// Makes the simulator forget what it has counted and recorded.
    func resetCounts() throws {
        try control("POST", "/sim/reset")
    }

    /// What the simulator has counted, by name.
    func counts() throws -> [String: Int] {
        try JSONDecoder().decode([String: Int].self, from: Data(control("GET", "/sim/stats").utf8))
    }

    /// Submissions that the simulator has carried out.
    func executed() throws -> Int {
        try counts()["submissions_executed"] ?? 0
    }

    /// When submissions arrived, in their order.
    ///
    /// - Parameters:
    ///   - prefix: of their first instance.
    ///   - limit: the most of them, from the first on.
    func arrivals(of prefix: String = "", limit: Int = .max) throws -> [Arrival] {
        let lines = try control("GET", "/sim/arrivals?prefix=\(prefix)&limit=\(limit)").split(separator: "\n")
        return try JSONDecoder().decode([Arrival].self, from: Data("[\(lines.joined(separator: ","))]".utf8))
    }

    /// Submissions a second, from the first that arrived to the last.
    func submissionsPerSecond() throws -> Double {
        let times = try arrivals().map(\.microseconds)
        guard let first = times.min(), let last = times.max(), last > first else {
            throw Failed(description: "fewer than two submissions arrived")
        }
        return Double(times.count - 1) / Double(last - first) * 1e6
    }

    /// A sum over the daemon's metrics of this name, whatever their labels.
    func metric(_ name: String) throws -> Double {
        let text = try LocalRequest.send("GET", "/metrics", to: .socket(metricsSocket))
        let values = text.split(separator: "\n").compactMap { line -> Double? in
            guard line.hasPrefix(name), let next = line.dropFirst(name.count).first, " {".contains(next) else {
                return nil
            }
            return line.split(separator: " ").last.flatMap { Double($0) }
        }
        guard !values.isEmpty else { throw Failed(description: "there is no metric \(name)") }
        return values.reduce(0, +)
    }
}
