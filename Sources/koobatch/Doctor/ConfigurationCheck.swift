import Foundation

/// The configuration: every problem, with file and key.
struct ConfigurationCheck: DoctorCheck {
    private static let name = "configuration"
    private let path: String
    /// The settings as far as they can be read.
    let settings: Settings?
    private let problems: [SettingsProblems.Problem]

    init(common: CommonOptions) {
        path = common.config ?? CommonOptions.defaultConfigurationPath
        do {
            let (read, found) = try Settings.read(file: common.config, database: common.database, need: .daemon)
            (settings, problems) = (read, found)
        } catch let error as SettingsProblems {
            (settings, problems) = (nil, error.problems)
        } catch {
            (settings, problems) = (nil, [.init(place: path, key: nil, rule: "\(error)")])
        }
    }

    func findings() -> [Finding] {
        var findings = problems.map { problem in
            Finding.problem(
                Self.name,
                "\(problem)",
                advice: problem.key == nil
                    ? "Mend \(path), or give another file with --config; it must be readable by this user."
                    : "Set it in \(path) or in the environment; etc/koobatch.yaml of the source explains every key."
            )
        }
        findings += (settings?.strayVariables ?? []).map {
            .warning(
                Self.name,
                "\($0) is set in the environment and is no key of the configuration",
                advice: advice(for: $0)
            )
        }
        if !problems.isEmpty { return findings }
        let isThere = FileManager.default.fileExists(atPath: path)
        return [.ok(Self.name, isThere ? path : "\(path) is not there: defaults and the environment")] + findings
    }

    private func advice(for variable: String) -> String {
        guard let closest = SettingsKey.closest(to: variable, among: SettingsKey.all.map(\.variable)) else {
            return "Remove it if it is meant for koobatch."
        }
        return "Did you mean \(closest)?"
    }
}
