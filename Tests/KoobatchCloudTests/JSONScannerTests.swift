import Foundation
import Testing
import TestSupport

@testable import KoobatchCloud

/// The scanner against Foundation's decoder: what one takes the other takes, and reads alike.
@Suite
struct JSONScannerTests {
    /// A value of JSON as both readers see it.
    indirect enum Value: Hashable, Decodable {
        case object([String: Value])
        case array([Value])
        case string(String)
        case other

        init(from decoder: any Decoder) throws {
            if let object = try? [String: Value](from: decoder) {
                self = .object(object)
            } else if let array = try? [Value](from: decoder) {
                self = .array(array)
            } else if let string = try? String(from: decoder) {
                self = .string(string)
            } else {
                self = .other
            }
        }

        init(_ scanner: inout JSONScanner) throws {
            switch try scanner.next() {
            case .object:
                var members: [String: Value] = [:]
                try scanner.object { scanner, key in
                    let value = try Value(&scanner)
                    // Of two members of one name Foundation takes the first.
                    members[key.text] = members[key.text] ?? value
                }
                self = .object(members)
            case .array:
                var elements: [Value] = []
                try scanner.array { scanner in elements.append(try Value(&scanner)) }
                self = .array(elements)
            case .string: self = .string(try scanner.scalar()?.text ?? "")
            case .number, .literal:
                try scanner.skip()
                self = .other
            }
        }
    }

    private static func scanned(_ bytes: [UInt8]) throws -> Value {
        try bytes.withUnsafeBytes { buffer in
            var scanner = JSONScanner(buffer)
            let value = try Value(&scanner)
            try scanner.end()
            return value
        }
    }

    /// What Foundation reads; its decoder alone does not look at numbers that nobody asks it for.
    private static func decoded(_ bytes: [UInt8]) -> Value? {
        do {
            _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch {
            return nil
        }
    }

    private static func text(depth: Int, using generator: inout SeededGenerator) -> String {
        func space() -> String { [" ", "", "", "\n", "\t", "\r\n"].randomElement(using: &generator) ?? "" }
        func string() -> String {
            let pieces = [
                "a", "é", "\\n", "\\u0041", "\\ud83d\\ude00", "\\\"", "\\\\", "\\/", "😀", "\\t", "x\u{7F}", "\\u00e9",
                "\\b\\f\\r", "  ",
            ]
            let count = Int.random(in: 0...6, using: &generator)
            return "\"" + (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined() + "\""
        }
        let kind = Int.random(in: 0...(depth > 0 ? 6 : 4), using: &generator)
        let inner = Int.random(in: 0...4, using: &generator)
        switch kind {
        case 0, 1: return string()
        case 2: return ["0", "-1", "12.5", "1e3", "-0.0E-2", "123456789012"].randomElement(using: &generator) ?? "0"
        case 3: return ["true", "false", "null"].randomElement(using: &generator) ?? "null"
        case 4: return ["{}", "[]", "[ ]", "{ }"].randomElement(using: &generator) ?? "{}"
        case 5:
            let elements = (0..<inner).map { _ in space() + text(depth: depth - 1, using: &generator) + space() }
            return "[" + elements.joined(separator: ",") + "]"
        default:
            let members = (0..<inner).map { index in
                space() + "\"k\(index)\"" + space() + ":" + space() + text(depth: depth - 1, using: &generator)
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1, 2, 3])
    func `What is JSON reads as the decoder reads it`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let text = Self.text(depth: 4, using: &generator)
            let expected = try JSONDecoder().decode(Value.self, from: Data(text.utf8))
            #expect(try Self.scanned(Array(text.utf8)) == expected, "seed \(seed): \(text)")
        }
    }

    @Test(
        arguments: [
            UInt64.random(in: 0...UInt64.max), 1, 2, 7_171_649_173_221_368_966, 13_028_165_572_398_977_023,
            12_312_178_119_702_024_379,
        ]
    )
    func `What was mutated is taken where the decoder takes it, and refused where it does not`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array(#"{}[]",:\ntu0-9.eE+a "#.utf8)
        for _ in 0..<1_000 {
            var bytes = Array(Self.text(depth: 3, using: &generator).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = alphabet.randomElement(using: &generator) ?? 0
                default: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: index)
                }
            }
            guard let text = String(validating: bytes, as: UTF8.self) else { continue }
            let decoded = Self.decoded(bytes)
            let scanned = try? Self.scanned(bytes)
            // Control characters and backslashes that begin no escape within strings, halves of surrogate pairs and numbers
            // beyond any are taken, on purpose; Foundation takes a comma before the end of an array.
            let isTaken =
                text.utf8.contains { $0 < 0x20 } || text.lowercased().contains("\\ud")
                || text.contains(/\\([^"\\\/bfnrtu]|u(?![0-9a-fA-F]{4}))/) || text.contains(/[eE]\+?[0-9]{3}/)
            if decoded == nil, isTaken { continue }
            if scanned == nil, text.contains(/,\s*[\]}]/) { continue }
            #expect(scanned == decoded, "seed \(seed): \(text)")
        }
    }

    @Test(arguments: [
        (#""A\u0000B""#, "A\u{FFFD}B"), (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"), ("\"a\nb\"", "a\nb"), ("\"\u{0}\"", "\u{FFFD}"), (#""\ud83d\ude00""#, "😀"),
        (#""\uD83D\uDE00\uD83D""#, "😀\u{FFFD}"), (#""\x1b[31m""#, #"\x1b[31m"#), (#""C:\dir\u12""#, #"C:\dir\u12"#),
        (#""\ud83d\udezz""#, "\u{FFFD}\\udezz"), (#""\é\\""#, #"\é\"#), ("\"\u{1B}[31m\u{9B}\"", "\u{1B}[31m\u{9B}"),
    ])
    func `What is broken in a string becomes U+FFFD and the rest is kept`(text: String, read: String) throws {
        #expect(try Self.scanned(Array(text.utf8)) == .string(read))
    }

    @Test
    func `Bytes that are not UTF-8 become U+FFFD`() throws {
        #expect(try Self.scanned([0x22, 0x61, 0xC3, 0x22]) == .string("a\u{FFFD}"))
        #expect(try Self.scanned([0x22, 0x5C, 0x6E, 0xFF, 0x22]) == .string("\n\u{FFFD}"))
    }

    @Test
    func `A text that is nested without end is refused`() {
        for open in ["[", "{\"a\":"] {
            let text = Array(String(repeating: open, count: 100_000).utf8)
            #expect(throws: JSONScanner.Malformed.self) { try Self.scanned(text) }
        }
    }
}
