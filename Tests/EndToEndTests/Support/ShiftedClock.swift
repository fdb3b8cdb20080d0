import Foundation
import TestSupport
import Testing

/// A wall clock that a test sets: programs started with its environment see it, by way of a preloaded library.
final class ShiftedClock {
    private let folder: TemporaryDirectory
    private let file: FileHandle
    /// What a program has to be started with.
    let environment: [String: String]

    /// Builds the library with the C compiler that comes with Swift.
    init() throws {
        folder = try TemporaryDirectory()
        let library = folder.path("shifted_clock.so")
        try PreloadedLibrary.build(PreloadedLibrary.source("Clock/shifted_clock.c"), to: library)
        let path = folder.path("ahead")
        try Data(count: 8).write(to: URL(filePath: path))
        file = try FileHandle(forUpdating: URL(filePath: path))
        environment = ["LD_PRELOAD": library, "CLOCK_AHEAD_FILE": path]
    }

    /// Sets it ahead of the system's clock.
    func set(ahead: Duration) throws {
        try file.seek(toOffset: 0)
        withUnsafeBytes(of: ahead.components.seconds * 1_000) { file.write(Data($0)) }
    }

    /// Runs statements in a shell that has this clock.
    func run(_ statements: String, in shell: SQLiteShell) throws {
        var shell = shell
        shell.environment = environment
        try shell.run(statements)
    }
}
