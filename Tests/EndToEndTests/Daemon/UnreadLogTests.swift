import Foundation
import TestSupport
import Testing

@Suite("A log that nobody reads", .programs)
struct UnreadLogTests {
    /// A FIFO with both of its ends, as a service manager holds them.
    private final class Pipe {
        private let reading: Int32
        /// The end that the daemon writes to; another description than the one that fills the pipe.
        let writing: Int32
        private let filling: Int32

        init(path: String) throws {
            try #require(mkfifo(path, 0o600) == 0)
            reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            writing = open(path, O_WRONLY | O_CLOEXEC)
            filling = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            try #require(reading >= 0 && writing >= 0 && filling >= 0)
        }

        deinit {
            for descriptor in [reading, writing, filling] { close(descriptor) }
        }

        func fill() {
            let filler = [UInt8](repeating: UInt8(ascii: "\n"), count: 4_096)
            while write(filling, filler, filler.count) > 0 {}
            while write(filling, filler, 1) > 0 {}
        }

        /// Reads until a line contains the words; returns all that was read.
        func read(until words: String) throws -> String {
            let deadline = ContinuousClock.now + .seconds(30)
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while !text.contains(words) || !text.hasSuffix("\n") {
                try #require(ContinuousClock.now < deadline, "\(text.suffix(1_000))")
                var request = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
                _ = poll(&request, 1, 1_000)
                let count = Foundation.read(reading, &buffer, buffer.count)
                if count > 0 { text += String(decoding: buffer[..<count], as: UTF8.self) }
            }
            return text
        }
    }

    @Test(
        "delays no work and no end; what was dropped is counted once it is read",
        arguments: ["json", "text", "journal"]
    )
    func unread(format: String) throws {
        let koobatch = try Koobatch(
            settings: """
                submit: {chunk_size: 1}
                poll: {initial_delay: 0.02, max_delay: 0.2}
                log: {format: \(format), level: debug}
                """
        )
        let pipe = try Pipe(path: koobatch.folder.appending(path: "log").path)
        pipe.fill()
        let daemon = try start(koobatch, pipe)
        // Two lines and more for each of so many chunks: more than may be queued.
        _ = try koobatch.insert(instances: 800)
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs", within: .seconds(240))
        try koobatch.wait(for: "SELECT running FROM daemon")

        let words = "Log lines were dropped, because stderr did not take them"
        let text = try pipe.read(until: words)
        let line = try #require(text.split(separator: "\n").last { $0.contains(words) })
        let dropped = line.firstMatch(of: /log\.dropped"?[:=]"?([0-9]+)/).flatMap { Int($0.1) }
        #expect(try #require(dropped) > 0, "\(line)")
        #expect(text.contains("Started"))

        pipe.fill()
        let begin = ContinuousClock.now
        kill(try #require(Int32(koobatch.shell.run("SELECT pid FROM daemon"))), SIGTERM)
        #expect(daemon.wait() == 0)
        #expect(ContinuousClock.now - begin < .seconds(25))
    }

    @Test("does not keep a daemon that cannot start from saying so with its exit code")
    func failing() throws {
        let koobatch = try Koobatch()
        try koobatch.configure("submit: {chunk_size: 0}")
        let pipe = try Pipe(path: koobatch.folder.appending(path: "log").path)
        pipe.fill()
        #expect(try start(koobatch, pipe).wait() == 78)
    }

    /// Runs the daemon, which is ended when it runs for ten minutes.
    ///
    /// Signals go to the daemon itself: `timeout` can inherit a mask that blocks them.
    private func start(_ koobatch: Koobatch, _ pipe: Pipe) throws -> Command {
        try Command(
            [
                "timeout", "600", ChildProcess.builtPrograms.appending(path: "koobatch").path,
                "run", "--config", koobatch.folder.appending(path: "koobatch.yaml").path,
            ],
            output: pipe.writing,
            errors: pipe.writing
        )
    }
}
