import TestSupport

/// Random choices that depend on a seed and on what they are made for, not on the order in which requests come.
struct Dice: RandomNumberGenerator {
    private var generator: SeededGenerator

    /// The choices for one subject.
    ///
    /// - Parameters:
    ///   - seed: of the whole run.
    ///   - subject: what the choices are for; equal subjects give equal choices.
    init(seed: UInt64, subject: String) {
        generator = SeededGenerator(seed: seed ^ Self.hash(subject))
    }

    /// FNV-1a, the same in every process (https://www.ietf.org/archive/id/draft-eastlake-fnv-21.html).
    static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    mutating func next() -> UInt64 {
        generator.next()
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }

    /// Whether something happens that happens so many times in a hundred.
    mutating func percent(_ share: Int) -> Bool {
        int(1...100) <= share
    }

    /// One of the choices.
    mutating func pick<Choice>(_ first: Choice, _ others: Choice...) -> Choice {
        let index = int(0...others.count)
        return index == 0 ? first : others[index - 1]
    }

    /// One of the elements; `nil` of none.
    mutating func element<Elements: Collection>(of elements: Elements) -> Elements.Element? {
        elements.randomElement(using: &generator)
    }

    mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        elements.shuffled(using: &generator)
    }

    /// Letters and digits.
    mutating func name(_ length: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<length).map { _ in letters[int(0...letters.count - 1)] })
    }
}
