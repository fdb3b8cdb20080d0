import Foundation

/// The hosts that go past the proxy, as the variable `NO_PROXY` lists them.
///
/// The rules of curl (https://curl.se/docs/manpage.html, NO_PROXY): a list with commas or spaces; `*` is every host; a
/// name is that host and all below its domain, with or without a leading dot; an address is that address, with a prefix
/// length all of that network. A port restricts an entry to it.
public struct NoProxy: Hashable, Sendable {
    private let entries: [String]

    /// Takes the value of the variable.
    public init(_ text: String = "") {
        entries = text.lowercased().split { $0 == "," || $0.isWhitespace }.map(String.init)
    }

    /// The first entry that a host is listed by; `nil` if there is none.
    ///
    /// - Parameters:
    ///   - host: a name or an address, an IPv6 one without brackets.
    ///   - port: the port that requests go to.
    func entry(for host: String, port: Int) -> String? {
        let host = Self.undotted(host.lowercased())
        let address = Self.bytes(ofAddress: host)
        return entries.first { Self.lists($0, host, address, port) }
    }

    private static func lists(_ entry: String, _ host: String, _ address: [UInt8]?, _ port: Int) -> Bool {
        if entry == "*" { return true }
        let (name, restriction) = split(entry)
        if let restriction, restriction != port { return false }
        guard let address else {
            let domain = undotted(name.hasPrefix("*.") ? String(name.dropFirst(2)) : name)
            return !domain.isEmpty && (host == domain || host.hasSuffix(".\(domain)"))
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard let network = bytes(ofAddress: String(parts[0])), network.count == address.count else { return false }
        guard parts.count == 2 else { return parts.count == 1 && network == address }
        guard let length = Int(parts[1]), (0...address.count * 8).contains(length) else { return false }
        return (0..<length).allSatisfy { bit in
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            return network[bit / 8] & mask == address[bit / 8] & mask
        }
    }

    /// An entry without its port and without the brackets of an IPv6 address.
    private static func split(_ entry: String) -> (name: String, port: Int?) {
        if entry.hasPrefix("["), let end = entry.firstIndex(of: "]") {
            let rest = entry[entry.index(after: end)...]
            return (String(entry[entry.index(after: entry.startIndex)..<end]), Int(rest.dropFirst()))
        }
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = Int(parts[1]) else { return (entry, nil) }
        return (String(parts[0]), port)
    }

    /// A name without the dots around it.
    private static func undotted(_ name: String) -> String {
        let name = name.hasPrefix(".") ? name.dropFirst() : name[...]
        return String(name.hasSuffix(".") ? name.dropLast() : name)
    }

    static func bytes(ofAddress text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: six) { Array($0) } }
        return nil
    }
}
