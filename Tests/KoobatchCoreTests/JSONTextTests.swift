import Foundation
import KoobatchCore
import TestSupport
import Testing

@Suite("JSON written by hand")
struct JSONTextTests {
    @Test(
        "has strings with the escapes that the standard asks for",
        arguments: [
            ("plain é 漢 😀", "plain é 漢 😀"), ("a\"b\\c", "a\\\"b\\\\c"), ("\n\r\t", "\\n\\r\\t"),
            ("\u{0}\u{1f}\u{7f}", "\\u0000\\u001f\u{7f}"), ("", ""),
        ]
    )
    func strings(_ text: String, _ escaped: String) {
        #expect(JSONText.string(text) == "\"\(escaped)\"")
    }

    @Test("has arrays of strings, of what may be missing, and of numbers")
    func arrays() {
        #expect(JSONText.array(["a", "b\""]) == "[\"a\",\"b\\\"\"]")
        #expect(JSONText.array([String]()) == "[]")
        #expect(JSONText.optionalArray(["a", nil, "", nil]) == "[\"a\",null,\"\",null]")
        #expect(JSONText.array([1, -2, Int64.max] as [Int64]) == "[1,-2,9223372036854775807]")
    }

    @Test("is read by others as it was meant", arguments: 1...20)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let texts = (0..<20).map { _ in
            String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 0..<12, using: &generator)).compactMap { _ in
                        Unicode.Scalar(UInt32.random(in: 0..<0x3000, using: &generator))
                    }
                )
            )
        }
        let read = try JSONDecoder().decode([String].self, from: Data(JSONText.array(texts).utf8))
        // By scalars: equal strings may be composed in another way.
        #expect(read.map { Array($0.unicodeScalars) } == texts.map { Array($0.unicodeScalars) }, "seed \(seed)")
    }
}
