import Foundation

/// Where the instances of a job come from.
enum InstanceSource: Hashable {
    /// Ids that are typed, separated by commas.
    case typed([String])
    case file(String)
    case standardInput

    /// More than a million ids with everything that a CSV file may have beside them.
    private static let largest = 512 << 20

    /// Reads the ids; an error says where they come from.
    func read(with parser: InstanceListParser) throws -> InstanceList {
        switch self {
        case .typed(let lists):
            var list = InstanceList(unit: .element)
            let ids = lists.joined(separator: ",").split(separator: ",").map {
                // Not U+00A0 and the like, which are refused.
                $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t"))
            }
            for (index, id) in ids.enumerated() where !id.isEmpty { try list.add(id, at: index + 1) }
            if list.ids.isEmpty { throw InstanceListError("--instances: there is no instance in it") }
            return list
        case .file(let path):
            return try naming(path) {
                guard let handle = FileHandle(forReadingAtPath: path) else {
                    throw InstanceListError(String(cString: strerror(errno)))
                }
                var parser = parser
                parser.isNamedCSV = path.lowercased().hasSuffix(".csv")
                return try parser.parse(try bytes(of: handle))
            }
        case .standardInput:
            return try naming("standard input") { try parser.parse(try bytes(of: .standardInput)) }
        }
    }

    private func naming(_ source: String, _ body: () throws -> InstanceList) throws -> InstanceList {
        do {
            return try body()
        } catch let error as InstanceListError {
            throw InstanceListError("\(source): \(error)")
        }
    }

    private func bytes(of handle: FileHandle) throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty {
                bytes += part
                if bytes.count > Self.largest {
                    throw InstanceListError(
                        "it is larger than \(Self.largest >> 20) MiB; a job takes a million instances"
                    )
                }
            }
        } catch let error as InstanceListError {
            throw error
        } catch {
            throw InstanceListError(String(cString: strerror(errno)))
        }
        return bytes
    }
}
