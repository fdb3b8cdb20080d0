import Foundation
import TestSupport
import Testing

@Suite("Stopping the daemon", .programs)
struct ShutdownTests {
    /// A daemon with a submission in flight that is answered after so many seconds.
    private func busy(answerAfter seconds: Double, settings: String = "") throws -> Koobatch {
        let koobatch = try Koobatch(settings: settings)
        try koobatch.start()
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":\#(seconds)}]}"#)
        _ = try koobatch.insert(instances: 3)
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'submitting'")
        return koobatch
    }

    private func reload(_ koobatch: Koobatch, _ settings: String) throws {
        let before = try log(koobatch, "The configuration has changed").count
        try koobatch.configure(settings)
        koobatch.daemon?.signal(SIGHUP)
        try #require(koobatch.daemon).follow { _ in try log(koobatch, "The configuration has changed").count > before }
        try #require(try log(koobatch, "The configuration has changed").count > before)
    }

    private func log(_ koobatch: Koobatch, _ part: String) throws -> [String] {
        try #require(koobatch.daemon).errors.split(separator: "\n").map(String.init).filter { $0.contains(part) }
    }

    @Test("ends after several reloads with a request in flight, and records the answer")
    func reloads() throws {
        let koobatch = try busy(answerAfter: 3)
        for timeout in [41, 42, 43] { try reload(koobatch, "submit: {timeout: \(timeout)}") }
        koobatch.daemon?.signal(SIGTERM)
        try koobatch.wait(for: "SELECT NOT running FROM daemon", within: .seconds(20))
        #expect(try koobatch.stop() == 0)
        #expect(try koobatch.shell.run("SELECT outcome FROM attempts") == "accepted")
    }

    @Test("ends when the grace is over, however many reloads wait for a request in flight")
    func reloadsAndGrace() throws {
        let settings = "shutdown: {grace: 1}\n"
        let koobatch = try busy(answerAfter: 100, settings: settings)
        for timeout in [141, 142] { try reload(koobatch, settings + "submit: {timeout: \(timeout)}") }
        koobatch.daemon?.signal(SIGTERM)
        try koobatch.wait(for: "SELECT NOT running FROM daemon", within: .seconds(20))
        #expect(try koobatch.stop() == 0)
    }

    @Test("says that requests were in flight when the grace was over, and only then")
    func grace() throws {
        let sentence = "Requests were still in flight when shutdown.grace was over"
        for (seconds, isCut) in [(100.0, true), (0.2, false)] {
            let koobatch = try busy(answerAfter: seconds, settings: "shutdown: {grace: \(isCut ? 0.5 : 20)}")
            let daemon = try #require(koobatch.daemon)
            #expect(try koobatch.stop() == 0)
            #expect(try daemon.errors.contains(sentence) == isCut)
            let outcome = try koobatch.shell.run("SELECT outcome FROM attempts")
            #expect(outcome == (isCut ? "unknown" : "accepted"))
        }
    }
}
