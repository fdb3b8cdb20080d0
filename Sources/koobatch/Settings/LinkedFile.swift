import Foundation

/// Follows symbolic links at the end of a path.
enum LinkedFile {
    /// As many as Linux follows (`path_resolution(7)`).
    private static let mostLinks = 40

    /// The path that a link leads to, whether a file is there or not; a path that is no link as it is.
    static func target(of path: String) -> String {
        var target = path
        for _ in 0..<mostLinks {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(target, &buffer, buffer.count)
            if count <= 0 { return target }
            let next = String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
            let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
            target = next.hasPrefix("/") ? next : folder + next
        }
        return path
    }
}
