import Foundation
import TestSupport
import Testing

/// The files of a database as they are on the disk, while the system has newer ones in its memory.
///
/// Programs that run with the environment of `CrashLibrary` keep it: a file is there as of its last sync, a name as of the last
/// sync of the directory.
final class Platter {
    private static let sector = 512

    /// Where it is kept.
    let url: URL
    private let folder: URL

    /// Begins with everything that is in the folder of a database on the disk.
    init(of folder: URL) throws {
        self.folder = folder
        url = folder.deletingLastPathComponent().appending(path: "koobatch-platter-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        var names = ""
        for name in try Self.files(in: folder) {
            let path = folder.appending(path: name).path
            let inode = try Self.inode(path)
            try FileManager.default.copyItem(atPath: path, toPath: url.appending(path: "\(inode)").path)
            names += "\(inode) \(name)\n"
        }
        try names.write(to: url.appending(path: "names"), atomically: false, encoding: .utf8)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: url)
        } catch {
            print("\(url.path) stays: \(error)")
        }
    }

    /// Turns the power off and on again: the files are as the disk has them.
    ///
    /// - Parameter torn: of what was not synced a random part is on the disk, instead of nothing.
    func losePower(torn: Bool, using generator: inout SeededGenerator) throws {
        let lines = try String(contentsOf: url.appending(path: "names"), encoding: .utf8).split(separator: "\n")
        let known = Dictionary(
            uniqueKeysWithValues: lines.map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
                .filter { Self.isOfDatabase($0[1]) }.map { ($0[1], $0[0]) }
        )
        for name in try Self.files(in: folder) {
            let path = folder.appending(path: name).path
            let inode = try Self.inode(path)
            let isNamed = known[name] == "\(inode)"
            if !isNamed, !(torn && Bool.random(using: &generator)) {
                try FileManager.default.removeItem(atPath: path)
                continue
            }
            let new = try Data(contentsOf: URL(filePath: path))
            let content = try mix(stored("\(inode)"), new, torn: torn, using: &generator)
            // In place: the file stays the same one.
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: content)
            try file.close()
        }
        for (name, inode) in known.sorted(by: { $0.key < $1.key }) {
            let path = folder.appending(path: name).path
            if FileManager.default.fileExists(atPath: path) || (torn && Bool.random(using: &generator)) { continue }
            try stored(inode).write(to: URL(filePath: path))
        }
        let shared = folder.appending(path: "koobatch.db-shm").path
        if FileManager.default.fileExists(atPath: shared) { try FileManager.default.removeItem(atPath: shared) }
    }

    /// A file that was never synced is empty.
    private func stored(_ inode: String) throws -> Data {
        let file = url.appending(path: inode)
        return FileManager.default.fileExists(atPath: file.path) ? try Data(contentsOf: file) : Data()
    }

    private func mix(_ old: Data, _ new: Data, torn: Bool, using generator: inout SeededGenerator) -> Data {
        if !torn || old == new { return old }
        let size = Bool.random(using: &generator) ? new.count : old.count
        var mixed = Data(capacity: size)
        for start in stride(from: 0, to: size, by: Self.sector) {
            let range = start..<min(start + Self.sector, size)
            let source = Bool.random(using: &generator) ? new : old
            let part = source[min(range.lowerBound, source.count)..<min(range.upperBound, source.count)]
            mixed += part + Data(count: range.count - part.count)
        }
        return mixed
    }

    private static func isOfDatabase(_ name: String) -> Bool {
        (name.hasPrefix("koobatch.db") || name.hasPrefix("copy.db")) && !name.hasSuffix("-shm")
    }

    private static func files(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter(isOfDatabase).sorted()
    }

    private static func inode(_ path: String) throws -> UInt64 {
        var facts = stat()
        try #require(stat(path, &facts) == 0)
        return UInt64(facts.st_ino)
    }
}
