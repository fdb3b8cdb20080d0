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

    @Test("the table of the README has every key, its variable and its default")
    func readme() throws {
        let text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        for key in SettingsKey.all {
            let standard = key.standard.map { "`\($0)` " } ?? ""
            let row = "\n| `\(key.name)` | `\(key.variable)` | \(standard)|"
            #expect(text.contains(row), "\(key.name)")
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
