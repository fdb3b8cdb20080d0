import Foundation
import TestSupport
import Testing

@Suite("The absence of the API", .programs)
struct LimitTests {
    @Test("an endpoint that is down is probed, and no chunk fails for it")
    func outage() throws {
        let koobatch = try Koobatch(settings: "poll: {initial_delay: 0.05}\nretry: {base_delay: 0.1, max_delay: 1}")
        try koobatch.simulator.faults(#"{"rules": [{"on":"any","kind":"drop_before"}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200, columns: [("max_attempts", "3")])
        try koobatch.wait(for: "SELECT circuit <> 'closed' FROM daemon")
        try koobatch.wait(for: "SELECT count(*) >= 12 FROM attempts")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "circuit")
        try koobatch.simulator.faults("{}")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|3200")
        #expect(try koobatch.shell.run("SELECT circuit, credentials FROM daemon") == "closed|accepted")
    }
}
