import Foundation
import TestSupport
import Testing

@Suite("The report of the program", .programs)
struct ReportTests {
    private let koobatch: Koobatch

    init() throws {
        koobatch = try Koobatch()
    }

    private func report(_ job: Int, _ output: String) throws -> ChildProcess {
        let program = try koobatch.program(["report", "\(job)", "--output", output])
        program.wait()
        return program
    }

    @Test("is a page of the job in a file, which it replaces, and on stdout, while the daemon runs and without one")
    func page() throws {
        try koobatch.start()
        let job = try koobatch.insert(instances: 70, columns: [("label", "'<b>&''\"'")])
        try koobatch.waitUntilFinished()
        let file = koobatch.folder.appending(path: "r.html")
        try Data("old".utf8).write(to: file)
        #expect(try report(job, file.path).errors == "")
        let page = try String(contentsOf: file, encoding: .utf8)
        #expect(page.hasPrefix("<!DOCTYPE html>") && page.hasSuffix("</html>\n"))
        #expect(page.contains("<bdi>&lt;b&gt;&amp;&#39;&quot;</bdi>"))
        #expect(page.contains("succeeded <b>70</b>"))
        #expect(try koobatch.stop() == 0)
        let printed = try report(job, "-").output
        #expect(printed.hasPrefix("<!DOCTYPE html>") && printed.hasSuffix("</html>\n"))
        #expect(printed.contains("succeeded <b>70</b>"))
    }

    @Test("says what is wrong, and leaves no file, when there is no such job or no such place")
    func failures() throws {
        let file = koobatch.folder.appending(path: "r.html").path
        #expect(try report(9, file).errors.contains("there is no job 9 in"))
        #expect(!FileManager.default.fileExists(atPath: file))
        let job = try koobatch.insert(instances: 1)
        let directory = try report(job, koobatch.folder.path)
        #expect(try directory.errors.contains("it is a directory"))
        #expect(directory.wait() == 1)
    }
}
