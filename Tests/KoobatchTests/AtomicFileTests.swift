import Foundation
import Synchronization
import TestSupport
import Testing

@testable import koobatch

@Suite("A file that others read")
struct AtomicFileTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
    }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
    }

    @Test("is whole at every moment, and nothing else is left beside it")
    func whole() async throws {
        let path = folder.path("m.prom")
        let texts = ["a", "b"].map { String(repeating: $0, count: 300_000) }
        try AtomicFile.write(texts[0], to: path)
        let reads = Counter()
        try await withThrowingTaskGroup { group in
            group.addTask {
                while reads.value < 50 {
                    for text in texts { try AtomicFile.write(text, to: path) }
                }
            }
            group.addTask {
                while reads.value < 50 {
                    let read = try String(contentsOfFile: path, encoding: .utf8)
                    #expect(texts.contains(read))
                    reads.increment()
                }
            }
            try await group.waitForAll()
        }
        #expect(try names == ["m.prom"])
    }

    @Test("has the mode that it is to have, whatever the umask")
    func mode() throws {
        try AtomicFile.write("x", to: folder.path("m.prom"), mode: 0o644)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path("m.prom"))[.posixPermissions] as? Int
        #expect(mode == 0o644)
    }

    @Test("stays as it is when the new one cannot be written")
    func failure() throws {
        let error = #expect(throws: AtomicFile.CannotWrite.self) {
            try AtomicFile.write("x", to: folder.path("missing/m.prom"))
        }
        #expect(error?.description.hasSuffix("m.prom: No such file or directory") == true)
        #expect(throws: AtomicFile.CannotWrite.self) { try AtomicFile.write("x", to: folder.url.path) }
        #expect(try names == [])
    }

    @Test("is found behind a link, which stays one")
    func link() throws {
        try AtomicFile.write("old", to: folder.path("real.html"))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("link"),
            withDestinationPath: folder.path("real.html")
        )
        try AtomicFile.write("new", to: folder.path("link"))
        #expect(try String(contentsOfFile: folder.path("real.html"), encoding: .utf8) == "new")
        #expect(try names == ["link", "real.html"])
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() { count.withLock { $0 += 1 } }
}
