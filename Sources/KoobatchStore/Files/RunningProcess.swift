import Foundation

/// A process, as far as the system tells of it.
struct RunningProcess: CustomStringConvertible {
    private let identifier: pid_t

    init(_ identifier: pid_t) {
        self.identifier = identifier
    }

    /// Whether it runs and is a koobatch other than this process: a number is given to another program once its process
    /// is gone, and in a container every daemon has the same.
    ///
    /// Where the name is hidden, a process of the number is taken for one.
    var isAnotherKoobatch: Bool {
        guard identifier != getpid(), kill(identifier, 0) == 0 || errno == EPERM else { return false }
        guard let name, let own = RunningProcess(getpid()).name else { return true }
        return name == own
    }

    /// `proc(5)`.
    private var name: String? {
        FileManager.default.contents(atPath: "/proc/\(identifier)/comm").map { data in
            String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        }
    }

    /// For people.
    var description: String {
        name.map { "\($0) (pid \(identifier))" } ?? "the process \(identifier)"
    }
}
