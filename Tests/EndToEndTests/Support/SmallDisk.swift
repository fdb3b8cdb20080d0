import Foundation
import TestSupport
import Testing

/// A file system in memory with little room.
final class SmallDisk {
    let path: String
    private var filler: String { path + "/filler" }

    /// Whether this user and this machine let a test mount one.
    static let canMount: Bool = {
        do {
            _ = try SmallDisk(kilobytes: 64)
            return true
        } catch {
            return false
        }
    }()

    init(kilobytes: Int) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "koobatch-disk-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let mounted = try Command.run(["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", path])
        if mounted.status != 0 { rmdir(path) }
        try #require(mounted.status == 0, "\(mounted.errors)")
    }

    deinit {
        do {
            _ = try Command.run(["umount", "--lazy", path])
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("\(path) stays: \(error)")
        }
    }

    /// Leaves no room.
    func fill() throws {
        _ = try Command.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4k"])
    }

    /// Makes room again.
    func empty() throws {
        try FileManager.default.removeItem(atPath: filler)
    }

    /// Mounts it anew, `ro` or `rw`.
    func remount(_ mode: String) throws {
        let remounted = try Command.run(["mount", "-o", "remount,\(mode)", path])
        try #require(remounted.status == 0, "\(remounted.errors)")
    }
}
