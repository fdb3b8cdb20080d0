import Foundation
import Testing

@testable import KooPhoneSimulator

/// Names that are computed, not stored.
@Suite struct IdentifierTests {
    static let start = Date(timeIntervalSince1970: 1_750_000_000)

    @Test func namesDoNotRepeatAmongTasksAndJobs() {
        let scheme = IdentifierScheme(seed: 1, startedAt: Self.start)
        let names = Set((0..<10_000).flatMap { [scheme.task($0).text, scheme.job($0).text] })
        #expect(names.count == 20_000)
    }

    @Test func aTaskIsFoundByItsNameAndAJobIsNot() {
        let scheme = IdentifierScheme(seed: 1, startedAt: Self.start)
        for number in [0, 1, 2, 1_000_000] {
            #expect(scheme.taskNumber(of: scheme.task(number)) == number)
            #expect(scheme.taskNumber(of: scheme.job(number)) == nil)
        }
        #expect(scheme.taskNumber(of: Identifier(high: scheme.task(1).high, low: 0)) == nil)
    }

    @Test func aLaterRunWithTheSameSeedHasOtherNames() {
        let first = IdentifierScheme(seed: 1, startedAt: Self.start)
        let second = IdentifierScheme(seed: 1, startedAt: Self.start.addingTimeInterval(0.001))
        #expect(first.task(0) != second.task(0))
    }

    @Test func theDigitsAreTheHexadecimalOnes() throws {
        let identifier = Identifier(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(identifier.text == "0123456789abcdeffedcba9876543210")
        #expect(Identifier(Substring(identifier.text).utf8) == identifier)
    }

    @Test(arguments: ["", "0123456789ABCDEFfedcba9876543210", "0123456789abcdeffedcba987654321g", "0"])
    func otherTextsAreNoIdentifiers(text: String) {
        #expect(Identifier(Substring(text).utf8) == nil)
    }

    @Test func theMixingCanBeUndone() {
        var generator = SplitMix64(seed: 3)
        for _ in 0..<1_000 {
            let value = generator.next()
            #expect(SplitMix64.unmix(SplitMix64.mix(value)) == value)
        }
    }
}
