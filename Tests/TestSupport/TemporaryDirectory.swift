public import Foundation

/// A directory of its own that goes with its last reference.
public final class TemporaryDirectory: Sendable {
    /// Where it is.
    public let url: URL

    /// Creates a directory, in memory where the system offers it: tests commit a great deal.
    public init() throws {
        let memory = URL(filePath: "/dev/shm", directoryHint: .isDirectory)
        let isThere = FileManager.default.isWritableFile(atPath: memory.path)
        let parent = isThere ? memory : FileManager.default.temporaryDirectory
        url = parent.appending(path: "koobatch-tests-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: url)
        } catch {
            FileHandle.standardError.write(Data("cannot remove \(url.path): \(error)\n".utf8))
        }
    }

    /// The path of a file in the directory, whether it exists or not.
    public func path(_ name: String) -> String {
        url.appending(path: name, directoryHint: .notDirectory).path
    }
}
