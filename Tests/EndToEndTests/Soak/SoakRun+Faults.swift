import Foundation
import TestSupport

/// What happens to the API, to the clock and to the daemon.
extension SoakRun {
    /// Another plan of the simulator's faults.
    func putFaults() throws {
        note("faults")
        let rules = FaultTests.faults.filter { _ in dice.percent(35) }.map {
            $0.rules.replacing(/"probability": ?[0-9.]+/, with: #""probability":0.\#(dice.pick("01", "05", "2"))"#)
        }
        var instances: [String] = []
        for name in ledger.jobs.keys.sorted() where dice.percent(20) {
            let conduct = dice.pick(
                #"{"refuse":{"error_code":"KOOPHONE.API.2004","error_msg":"frozen","times":40}}"#,
                #"{"refuse":{"error_code":"KOOPHONE.API.1000","error_msg":"no such instance","times":9}}"#,
                #"{"fail":{"error_code":"CPS0005","error_msg":"none"}}"#,
                #"{"duration":0.4,"output":"done"}"#,
                #"{"never":true}"#
            )
            instances.append(#""\#(name)\#(dice.pick("*", "1", "2*"))":\#(conduct)"#)
        }
        let limit = dice.percent(20) ? #""limit":{"per_second":\#(dice.int(5...50)),"retry_after":false},"# : ""
        try koobatch.simulator.faults(
            """
            {"duration": \(dice.pick("0", "0.05", "0.3")), \(limit)
             "rules": [\(rules.joined(separator: ","))], "instances": {\(instances.joined(separator: ","))}}
            """
        )
        if dice.percent(10) {
            note("token revoked")
            try koobatch.simulator.tokens(valid: [])
        } else {
            try koobatch.simulator.tokens(valid: [Koobatch.token])
        }
    }

    /// Sets the clock of the daemon.
    func setClock() throws {
        note("clock set")
        // Never behind the true time: to be right again would be a leap forward, which is doubted for ten minutes.
        let ahead = dice.pick(0, 0, 120, 3_600, 400 * 86_400)
        try clock.set(ahead: .seconds(ahead))
        if dice.percent(50) { koobatch.daemon?.signal(SIGHUP) }
    }

    /// Stops the daemon's process for a while.
    func suspend() throws {
        note("suspended")
        koobatch.daemon?.signal(SIGSTOP)
        for _ in 0..<dice.int(1...8) { changes.wait() }
        koobatch.daemon?.signal(SIGCONT)
    }

    /// Kills the daemon, or ends it in order, and starts another one; at times one that is killed at once.
    func restart() throws {
        if dice.percent(75) {
            note("killed")
            koobatch.crash()
        } else {
            note("stopped")
            let status = try koobatch.stop()
            if status != 0 { note("stopped with \(status)") }
        }
        while dice.percent(40) {
            note("killed while it starts")
            let daemon = try koobatch.program(["run"], environment: clock.environment)
            for _ in 0..<dice.int(0...3) { changes.wait() }
            daemon.signal(SIGKILL)
            daemon.wait()
        }
        if dice.percent(50) { try insert() }
        try koobatch.start(environment: clock.environment, hasOwnClock: true)
    }
}
