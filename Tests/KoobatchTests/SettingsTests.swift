import Foundation
import KoobatchCloud
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

    @Test(
        "takes the secret from the file beside it that is called after it, and from no other",
        arguments: [("koobatch", "token"), ("eu", "eu.token"), ("eu.west", "eu.west.token")]
    )
    func secretFile(_ name: String, _ expected: String) throws {
        let files = ["token", "eu.token", "eu.west.token"]
        let file = directory.path("\(name).yaml")
        try "koophone: {endpoint: 'https://example.com'}\n".write(toFile: file, atomically: true, encoding: .utf8)
        for present in files where present != expected {
            try "t".write(toFile: directory.path(present), atomically: true, encoding: .utf8)
        }
        let without = try Settings.read(file: file, database: nil, need: .daemon, environment: [:])
        #expect(without.settings.secretFile == nil)
        #expect(without.problems.count == 1)
        #expect("\(without.problems)".contains("koophone.auth.token_file: required"))
        #expect("\(without.problems)".contains("write it to \(directory.path(expected)),"))
        try "t".write(toFile: directory.path(expected), atomically: true, encoding: .utf8)
        let with = try Settings.read(file: file, database: nil, need: .daemon, environment: [:])
        #expect(with.settings.secretFile == directory.path(expected) && with.problems.isEmpty)
    }

    @Test("names the secrets of the default configuration and of an instance as the units do")
    func usualSecretFiles() {
        for (configuration, file) in [
            (CommonOptions.defaultConfigurationPath, "/etc/koobatch/secret_key"),
            ("/etc/koobatch/eu.yaml", "/etc/koobatch/eu.secret_key"),
        ] {
            #expect(Settings.usualSecretFile("secret_key", besideConfiguration: configuration) == file)
        }
    }

    @Test(
        "tells a key that is there twice with its line, and nothing of the file",
        arguments: [
            ("submit: {timeout: 5}\nkoophone:\n  hunter2: x\nsubmit: {timeout: 7}\n", "submit", [1, 4]),
            ("submit.timeout: 5\nhunter2: x\nsubmit: {timeout: 7}\n", "submit.timeout", [3]),
        ]
    )
    func repeatedKey(_ yaml: String, _ key: String, _ lines: [Int]) throws {
        let error = try #require(#expect(throws: SettingsProblems.self) { try read(yaml) })
        let problem = try #require(error.problems.first)
        #expect(error.problems.count == 1 && problem.key == key)
        #expect(problem.line.map(lines.contains) == true)
        #expect("\(error)".contains("twice") && !"\(error)".contains("hunter2"))
    }

    @Test("tells nothing of a file that is no YAML", arguments: ["a: 'hunter2\n", "a: [hunter2\n", "a: *hunter2\n"])
    func noContent(_ yaml: String) throws {
        let error = try #require(#expect(throws: SettingsProblems.self) { try read(yaml) })
        #expect(!"\(error)".contains("hunter2"))
    }

    @Test("follows a link to the database, also to one that is not there yet")
    func linkedDatabase() throws {
        let (link, second, real) = (directory.path("link.db"), directory.path("second.db"), directory.path("real.db"))
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "second.db")
        try FileManager.default.createSymbolicLink(atPath: second, withDestinationPath: real)
        #expect(try read("database: \(link)\n").settings.database == real)
        #expect(try Settings.database(file: nil, flag: link, environment: [:]) == real)
        try "".write(toFile: real, atomically: true, encoding: .utf8)
        #expect(try read("", database: link).settings.database == real)
        #expect(LinkedFile.target(of: directory.path("nothing")) == directory.path("nothing"))
    }

    @Test("wants an absolute path of the database, but on the command line")
    func relativeDatabase() throws {
        let rule = "must be an absolute path, not k.db; --database may be relative"
        #expect(try read("database: k.db\n").problems == ["k.yaml:1: database: \(rule)"])
        let variables = ["KOOBATCH_DATABASE": "k.db"]
        #expect(try read("", environment: variables).problems == ["KOOBATCH_DATABASE: database: \(rule)"])
        #expect(try read("database: k.db\n", environment: variables, database: "k.db").problems.isEmpty)
        #expect(try read("", database: "").problems == ["database: --database must be a path, not empty"])
        for (flag, environment) in [("", [:]), (nil, variables)] as [(String?, [String: String])] {
            #expect(throws: SettingsProblems.self) {
                try Settings.database(file: nil, flag: flag, environment: environment)
            }
        }
    }

    @Test("takes the words of YAML for yes and no in any case", arguments: ["True", "TRUE", "Yes", "ON"])
    func words(_ text: String) throws {
        let (settings, problems) = try read("poll:\n  enabled: \(text)\n")
        #expect(problems.isEmpty && settings.engine.rules.polling != nil)
    }

    @Test("tells problems in the order of the file, and what makes no sense together")
    func order() throws {
        let yaml = "log: {level: loud}\nretry:\n  base_delay: 10\n  max_delay: 5\npoll: 3\nnonsense: 1\n"
        #expect(
            try read(yaml).problems.map { String($0.prefix(30)) }
                == [
                    "k.yaml:1: log.level: must be trace", "k.yaml:3: retry.base_delay: must not",
                    "k.yaml:5: poll: is a section: its keys", "k.yaml:6: nonsense: there is no such key",
                ].map { String($0.prefix(30)) }
        )
        #expect(try read("retry: {max_delay: 0.5}\n").problems.isEmpty)
    }

    private func cloud(_ lines: String, _ environment: [String: String] = [:]) throws
        -> (routes: [String], problems: [String])
    {
        try "t".write(toFile: directory.path("secret"), atomically: true, encoding: .utf8)
        let (settings, problems) = try read(
            """
            koophone:
              endpoint: https://koophone.example
              auth: {token_file: \(directory.path("secret"))}
              \(lines)
            """,
            environment: environment,
            need: .daemon
        )
        return (settings.cloud?.routes.map { "\($0.route)" } ?? [], problems)
    }

    @Test(
        "takes the proxy from its key, else from the variables that curl knows, in curl's order",
        arguments: [
            ("", [:], "direct"), ("proxy: http://p:1", [:], "through the proxy p:1 (koophone.proxy)"),
            ("", ["HTTPS_PROXY": "q:2"], "through the proxy q:2 (HTTPS_PROXY)"),
            ("", ["HTTPS_PROXY": "q:2", "https_proxy": "r:3"], "through the proxy r:3 (https_proxy)"),
            ("", ["ALL_PROXY": "s:4", "https_proxy": ""], "through the proxy s:4 (ALL_PROXY)"),
            ("proxy: p:1", ["HTTPS_PROXY": "q:2"], "through the proxy p:1 (koophone.proxy)"),
            ("", ["KOOBATCH_KOOPHONE_PROXY": "p:1"], "through the proxy p:1 (koophone.proxy)"),
            ("proxy: none", ["HTTPS_PROXY": "socks5://q:2"], "direct"),
            ("proxy: p:1", ["NO_PROXY": ".example"], "direct (NO_PROXY lists .example)"),
            ("proxy: p:1", ["no_proxy": "other", "NO_PROXY": "*"], "through the proxy p:1 (koophone.proxy)"),
        ] as [(String, [String: String], String)]
    )
    func proxy(_ lines: String, _ environment: [String: String], _ route: String) throws {
        let (routes, problems) = try cloud(lines, environment)
        #expect(problems.isEmpty && routes == [route], "\(problems)")
    }

    @Test(
        "refuses a proxy or authorities that cannot be used, and never shows a password",
        arguments: [
            ("proxy: http://u:secret-word@p:1", [:], "k.yaml:4: koophone.proxy: must not hold a user name"),
            ("", ["KOOBATCH_KOOPHONE_PROXY": "u:secret-word@p:1"], "KOOBATCH_KOOPHONE_PROXY: koophone.proxy: must not"),
            ("", ["HTTPS_PROXY": "socks5://u:secret-word@p:1"], "koophone.proxy: HTTPS_PROXY: the scheme \"socks5\""),
            ("proxy: p", [:], "k.yaml:4: koophone.proxy: names no port"),
            ("proxy: p:1\n  proxy_user: u", [:], "koophone.proxy_password_file: required"),
            ("proxy: p:1\n  proxy_user: u\n  proxy_password_file: /no/file", [:], "/no/file cannot be read: No such"),
            ("ca_file: /no/file", [:], "k.yaml:4: koophone.ca_file: /no/file cannot be read: No such file"),
            ("ca_file: /dev/null", [:], "k.yaml:4: koophone.ca_file: /dev/null is"),
        ] as [(String, [String: String], String)]
    )
    func badNetwork(_ lines: String, _ environment: [String: String], _ words: String) throws {
        let problems = try cloud(lines, environment).problems
        #expect(problems.count == 1 && problems[0].contains(words), "\(problems)")
        #expect(!problems.joined().contains("secret-word"))
    }

    @Test("refuses requests in flight that the limit of open files has no room for, with the arithmetic")
    func descriptors() {
        #expect(DescriptorLimit.shortage(maxInFlight: 32, limit: 1_024, processors: 4) == nil)
        #expect(DescriptorLimit.shortage(maxInFlight: 294, limit: 1_024, processors: 4) == nil)
        let shortage = DescriptorLimit.shortage(maxInFlight: 300, limit: 1_024, processors: 4)
        #expect(shortage?.contains("3 x 300 + 140 = 1040 file descriptors, and this process may have 1024") == true)
        #expect(shortage?.contains("set it to 294 or less") == true)
        #expect(DescriptorLimit.shortage(maxInFlight: 1, limit: 64, processors: 4)?.contains("set it to") == false)
    }
}
