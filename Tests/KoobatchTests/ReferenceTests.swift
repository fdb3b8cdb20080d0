import Foundation
import TestSupport
import Testing

@testable import koobatch

/// The documents list what the program knows.
@Suite("The reference of the configuration")
struct ReferenceTests {
    private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test("etc/koobatch.yaml has every key, with its default where it has one")
    func yaml() throws {
        let directory = try TemporaryDirectory()
        let text = try String(contentsOf: root.appending(path: "etc/koobatch.yaml"), encoding: .utf8)
        let whole = text.replacing(/(?m)^( *)#([a-z_]+:)/) { "\($0.1)\($0.2)" }
        let path = directory.path("k.yaml")
        try whole.write(toFile: path, atomically: true, encoding: .utf8)
        let file = try SettingsFile(path: path, mayBeMissing: false)
        #expect(Set(file.lines.keys) == Set(SettingsKey.all.map(\.name)))
        for key in SettingsKey.all {
            if let standard = key.standard { #expect(try file.text(key.name) == standard, "\(key.name)") }
        }
        // As it is, it configures nothing but the endpoint.
        let shipped = try SettingsFile(path: root.appending(path: "etc/koobatch.yaml").path, mayBeMissing: false)
        #expect(try SettingsKey.all.filter { try shipped.text($0.name) != nil } == [.endpoint])
    }

    private func readme() throws -> String {
        try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    }

    @Test("the README can be read in one sitting")
    func length() throws {
        #expect(try readme().split(separator: "\n", omittingEmptySubsequences: false).count <= 251)
    }

    @Test("the README names files that are there, and types in files of their names")
    func map() throws {
        let text = try readme()
        let paths = text.matches(of: #/`((?:Sources|Tests|migrations|etc|systemd|\.ci)(?:/[A-Za-z0-9_.+@-]+)*)/?`/#)
            .map { String($0.output.1) }
        #expect(paths.count > 10)
        for path in paths {
            #expect(FileManager.default.fileExists(atPath: root.appending(path: path).path), "\(path)")
        }
        // `File.swift: function` and `Type.function`.
        let functions = text.matches(of: /`([A-Za-z+]+\.swift)`, `([A-Za-z.]+)/)
        #expect(functions.count > 3)
        let sources = try #require(
            FileManager.default.enumerator(at: root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        )
        let files = sources.compactMap { $0 as? URL }
        for function in functions {
            let file = try #require(
                files.first { $0.lastPathComponent == function.output.1 },
                "\(function.output.1)"
            )
            let name = function.output.2.split(separator: ".").last ?? ""
            #expect(try String(contentsOf: file, encoding: .utf8).contains(name), "\(function.output.0)")
        }
    }

    @Test(
        "a mistyped key is told what it may have been meant to be",
        arguments: [
            ("submit.chunk_sise", "submit.chunk_size"), ("chunk_size", "submit.chunk_size"),
            ("poll.intial_delay", "poll.initial_delay"), ("Database", "database"), ("nothing.of.this.sort", nil),
        ] as [(String, String?)]
    )
    func closest(_ name: String, _ meant: String?) {
        #expect(SettingsKey.closest(to: name, among: SettingsKey.all.map(\.name)) == meant)
    }
}
