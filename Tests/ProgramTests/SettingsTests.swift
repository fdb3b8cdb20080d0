import Foundation
import KoobatchCore
import KoobatchEngine
import KoobatchStore
import Logging
import TestSupport
import Testing

@testable import koobatch

@Suite("Configuration")
struct SettingsTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func read(
        _ yaml: String,
        environment: [String: String] = [:],
        database: String? = nil,
        need: Settings.Need = .database
    ) throws -> (settings: Settings, problems: [String]) {
        let file = directory.path("k.yaml")
        try yaml.write(toFile: file, atomically: true, encoding: .utf8)
        let (settings, problems) = try Settings.read(
            file: file,
            database: database,
            need: need,
            environment: environment
        )
        return (settings, problems.map { "\($0)".replacing(directory.url.path + "/", with: "") })
    }

    @Test("has a default for everything but the endpoint and the credentials")
    func defaults() throws {
        let (settings, problems) = try read("# nothing\n")
        #expect(problems.isEmpty)
        #expect(settings.database == "/var/lib/koobatch/koobatch.db")
        #expect(settings.engine.chunkSize == 32 && settings.engine.maxInFlight == 32)
        #expect(settings.engine.requestsPerSecond == nil)
        #expect(settings.engine.retention == .seconds(30 * 86_400))
        #expect(settings.engine.rules.polling?.resultTimeout == .seconds(3_600))
        #expect(settings.engine.rules.backoff.maximum == .seconds(300))
        #expect(settings.submitTimeout == .seconds(30) && settings.shutdownGrace == .seconds(25))
        #expect(settings.logLevel == .info && settings.logFormat == .auto)
    }

    @Test("is the flag, else the environment, else the file, else the default; an empty variable counts as none")
    func precedence() throws {
        let yaml = "database: f.db\nsubmit: {chunk_size: 10, max_in_flight: 11, timeout: 12}\n"
        let environment = [
            "KOOBATCH_DATABASE": "e.db", "KOOBATCH_SUBMIT_CHUNK_SIZE": "20", "KOOBATCH_SUBMIT_MAX_IN_FLIGHT": "",
        ]
        let settings = try read(yaml, environment: environment, database: "flag.db").settings
        #expect(settings.database == "flag.db")
        #expect(try read(yaml, environment: environment).settings.database == "e.db")
        #expect(settings.engine.chunkSize == 20 && settings.engine.maxInFlight == 11)
        #expect(settings.submitTimeout == .seconds(12))
    }

    @Test("tells every problem at once, each with its place, its key and the rule")
    func problems() throws {
        let problems = try read(
            """
            koophone: {endpoint: ''}
            submit:
              chunk_size: 101
              chunk_sise: 3
              timeout: soon
            log: {level: loud}
            retention: {finished_jobs: [1, 2]}
            polling:
              enabled: true
            """,
            environment: ["KOOBATCH_RETRY_MAX_DELAY": "2d", "KOOBATCH_KOOPHONE_AUTH_TOKEN_FILE": "t"],
            need: .daemon
        ).problems
        #expect(
            Set(problems) == [
                "k.yaml:1: koophone.endpoint: required",
                "k.yaml:3: submit.chunk_size: must be a whole number from 1 to 100, not 101",
                "k.yaml:4: submit.chunk_sise: there is no such key; did you mean submit.chunk_size?",
                "k.yaml:5: submit.timeout: must be a number of seconds, or a time such as 90s, 15m, 12h or 30d, "
                    + "from 0.1s to 10m, not soon",
                "k.yaml:6: log.level: must be trace or debug or info or notice or warning or error or critical, not loud",
                "k.yaml:7: retention.finished_jobs: must be a single value",
                "k.yaml:9: polling.enabled: there is no such key; did you mean poll.enabled?",
                "KOOBATCH_RETRY_MAX_DELAY: retry.max_delay: must be a number of seconds, or a time such as 90s, 15m, 12h "
                    + "or 30d, from 0.001s to 1d, not 2d",
            ],
            "\(problems.joined(separator: "\n"))"
        )
    }

    @Test(
        "keeps finished jobs for a time with a unit, for seconds without one, and for ever with 0",
        arguments: [("30d", 2_592_000), ("12h", 43_200), ("90", 90), ("30 days", 2_592_000), ("0", nil), ("0d", nil)]
            as [(String, Int?)]
    )
    func retention(_ text: String, _ seconds: Int?) throws {
        let retention = try read("retention:\n  finished_jobs: \(text)\n").settings.engine.retention
        #expect(retention == seconds.map { .seconds($0) })
    }

    @Test("may have a section without keys, and nothing else without a meaning")
    func emptySection() throws {
        #expect(try read("submit:\nlog:\n  #level: info\n").problems.isEmpty)
        #expect(try read("sumbit:\n").problems.count == 1)
        #expect(try read("submit: 3\n").problems.count == 1)
    }

    @Test("tells which variables look like keys and are none")
    func strayVariables() throws {
        let environment = ["KOOBATCH_SUBMIT_TIMEOUTS": "3", "KOOBATCH_LOG_LEVEL": "info", "X": "y"]
        let stray = try read("", environment: environment)
        #expect(stray.settings.strayVariables == ["KOOBATCH_SUBMIT_TIMEOUTS"])
    }

    @Test(
        "that cannot be read as a whole is one problem that says why",
        arguments: [("a: [", "is not the YAML"), ("- 1\n", "is not the YAML"), ("a: 1\na: 2\n", "is not the YAML")]
    )
    func unreadable(_ yaml: String, _ reason: String) throws {
        let error = #expect(throws: SettingsProblems.self) { try read(yaml) }
        #expect("\(try #require(error))".contains(reason))
        let missing = #expect(throws: SettingsProblems.self) {
            try Settings.read(file: directory.path("missing.yaml"), database: nil, need: .database)
        }
        #expect("\(try #require(missing))".contains("missing.yaml: cannot be read: No such file or directory"))
    }
}
