import Foundation
import Synchronization

/// What systemd is told of the daemon, by the protocol of `sd_notify(3)`; nothing where systemd did not start it.
final class ServiceManager: Sendable {
    /// How often systemd expects the watchdog keep-alive; `nil` if it does not watch this process
    /// (`sd_watchdog_enabled(3)`).
    let watchdogInterval: Duration?
    private let socketPath: String?
    private let lastStatus = Mutex("")

    /// Whether systemd wants to be told.
    var isPresent: Bool { socketPath != nil }

    /// Takes what systemd says in the environment.
    init(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        pid: Int32 = ProcessInfo.processInfo.processIdentifier
    ) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(pid)" } ?? true
        let interval = environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap { $0 > 0 ? $0 : nil }
        watchdogInterval = isMeant && socketPath != nil ? interval.map { .microseconds($0) } : nil
    }

    /// The daemon works, for the first time or again after `reloading()`.
    func ready() {
        send("READY=1")
    }

    /// The start takes longer than usual, for so many seconds more, because of what the text says.
    func starting(_ text: String, seconds: Int) {
        send("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)\nSTATUS=\(text)")
    }

    /// What the daemon does, for `systemctl status`; repeated words are not sent.
    func status(_ text: String) {
        let isNew = lastStatus.withLock { last in
            defer { last = text }
            return last != text
        }
        if isNew { send("STATUS=\(text)") }
    }

    /// The daemon reads its configuration again; to be followed by `ready()`.
    func reloading() {
        // The clock that systemd compares with its own events.
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)")
    }

    /// The watchdog keep-alive.
    func alive() {
        send("WATCHDOG=1")
    }

    /// The daemon is about to end.
    func stopping() {
        send("STOPPING=1\nSTATUS=Recording what is in flight")
    }

    private func send(_ text: String) {
        guard let socketPath else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        var path = Array(socketPath.utf8)
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
