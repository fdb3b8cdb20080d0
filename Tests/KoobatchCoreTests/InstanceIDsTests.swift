import KoobatchCore
import TestSupport
import Testing

@Suite("Instance ids")
struct InstanceIDsTests {
    @Test("are one text that is taken apart as it was put together", arguments: [0, 1, 2, 32, 1_000])
    func roundTrip(_ count: Int) throws {
        let ids = (0..<count).map { "i-\($0),x" }
        let text = InstanceIDs(ids)
        #expect(text.count == count && text.list == ids)
        #expect(InstanceIDs(json: text.json) == text)
        #expect(text.json == JSONText.array(ids))
    }

    @Test(
        "are refused where the text is none that koobatch writes",
        arguments: [
            "", "[", "]", "{}", "[a]", "[\"a\"", "\"a\"]", "[\"\"]", "[\"a\",]", "[\"a\" ,\"b\"]", "[\"a\"\"b\"]",
            "[\"a b\"]", "[\"a\\u0041\"]", "[\"é\"]", "[\"a\u{7f}\"]", "[\"a\",\"\"]", "[1]", "[\"a]", "[,\"a\"]",
        ]
    )
    func refused(_ text: String) {
        #expect(InstanceIDs(json: text) == nil)
    }
}

@Suite("Identifiers")
struct IdentifierTests {
    @Test("are what the database has")
    func raw() {
        #expect(CommandJobID(rawValue: 7).rawValue == 7)
        #expect(ChunkID(rawValue: 8).rawValue == 8)
        #expect(AttemptID(rawValue: 9).rawValue == 9)
    }

    @Test("of requests are 32 hexadecimal digits, all of them random")
    func requests() {
        var generator = SeededGenerator(seed: 1)
        let ids = (0..<200).map { _ in RequestID.random(using: &generator).rawValue }
        #expect(Set(ids).count == 200)
        #expect(ids.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy { $0.isHexDigit && !$0.isUppercase } })
        let everyDigit = (0..<32).allSatisfy { place in Set(ids.map { Array($0)[place] }).count > 8 }
        #expect(everyDigit)
    }
}
