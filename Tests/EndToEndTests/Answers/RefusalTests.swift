import Foundation
import TestSupport
import Testing

@Suite("Refused instances", .programs)
struct RefusalTests {
    private static func refusal(_ code: String, _ message: String, times: Int? = nil) -> String {
        let times = times.map { #", "times": \#($0)"# } ?? ""
        return #"{"refuse": {"status": 200, "error_code": "\#(code)", "error_msg": "\#(message)"\#(times)}}"#
    }

    @Test("three bad instances in 320 are found in at most 43 requests, and the others run once")
    func threeInTen() throws {
        let koobatch = try Koobatch()
        let frozen = Self.refusal("KOOPHONE.API.2004", "instance is frozen")
        try koobatch.simulator.faults(#"{"instances": {"i7": \#(frozen), "i100": \#(frozen), "i319": \#(frozen)}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|317|3")
        #expect(
            try koobatch.shell.rows(
                """
                SELECT instance_id, error_code, error_msg
                  FROM instance_status
                 WHERE state = 'rejected'
                 ORDER BY CAST(substr(instance_id, 2) AS INTEGER)
                """
            ) == ["i7", "i100", "i319"].map { [$0, "KOOPHONE.API.2004", "instance is frozen"] }
        )
        let journal = try koobatch.simulator.journal()
        #expect(journal.count <= 43)
        let executed = journal.filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == 317)
        #expect(Set(executed).count == 317)
        try Truth(koobatch: koobatch).expectCountsAddUp()
    }

    @Test("busy instances are tried again alone until they are free, frozen ones are rejected")
    func busyAndFrozen() throws {
        let koobatch = try Koobatch()
        let frozen = Self.refusal("KOOPHONE.API.2004", "instance is frozen")
        let recovering = Self.refusal("KOOPHONE.API.2005", "instance is in recovery", times: 8)
        let backedUp = Self.refusal("KOOPHONE.API.2006", "instance is in backup", times: 8)
        try koobatch.simulator.faults(
            #"{"instances": {"i1": \#(frozen), "i40": \#(recovering), "i90": \#(backedUp)}}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 96)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|95|1")
        let executed = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == 95)
        #expect(Set(executed).count == 95)
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
        try Truth(koobatch: koobatch).expectCountsAddUp()
    }
}
