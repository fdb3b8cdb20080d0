import Foundation

/// What a subcommand prints, in large writes; a failed write is an error and not lost.
final class StandardOutput {
    private static let size = 65_536

    private let handle: FileHandle
    private var buffer = ""

    /// How its reader sees it.
    let terminal: Terminal

    init(_ handle: FileHandle = .standardOutput, terminal: Terminal = .output) {
        self.handle = handle
        self.terminal = terminal
        buffer.reserveCapacity(Self.size)
    }

    /// Adds text, and writes when there is much of it.
    func write(_ text: String) throws {
        buffer += text
        if buffer.utf8.count >= Self.size { try flush() }
    }

    /// Adds a line.
    func line(_ text: String = "") throws {
        try write(text + "\n")
    }

    /// Adds styled lines.
    func lines(_ lines: [[Span]]) throws {
        for line in lines { try self.line(terminal.text(line)) }
    }

    /// Writes what is left.
    func flush() throws {
        let bytes = Data(buffer.utf8)
        buffer.removeAll(keepingCapacity: true)
        try handle.show(bytes)
    }
}

extension FileHandle {
    /// Writes bytes, or throws a sentence that says why they cannot be written.
    func show(_ bytes: Data) throws {
        do {
            try write(contentsOf: bytes)
        } catch {
            throw Failure(code: .failure, "the output cannot be written: \(String(cString: strerror(errno)))")
        }
    }
}
