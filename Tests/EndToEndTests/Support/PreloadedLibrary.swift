import Foundation
import TestSupport
import Testing

/// Libraries that programs load before the C library, to change what the system does for them.
enum PreloadedLibrary {
    /// The sources in folders of their own beside the tests.
    static func source(_ path: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../\(path)").path
    }

    /// Builds one with the C compiler that comes with Swift.
    static func build(_ source: String, to library: String) throws {
        let built = try Command.run(
            ["clang", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]
        )
        try #require(built.status == 0, "\(built.errors)")
    }
}
