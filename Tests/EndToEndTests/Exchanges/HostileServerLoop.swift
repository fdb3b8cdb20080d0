import Foundation
import Synchronization
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// The thread of a `HostileServer`: it waits for its sockets and for the pauses of its scripts, for nothing else.
struct HostileServerLoop {
    private let listener: Int32
    private let control: Int32
    private let cloud: HostileServer.Arc
    private var connections: [Int32: HostileConnection] = [:]
    private var accepted = 0
    /// A connection whose answer waits for another one to be exchanged with.
    private var crossing: (descriptor: Int32, number: Int, instances: [String], steps: [AnswerScript.Step])?

    init(listener: Int32, control: Int32, cloud: HostileServer.Arc) {
        (self.listener, self.control, self.cloud) = (listener, control, cloud)
    }

    /// Serves until the other end of `control` is shut down.
    mutating func run() {
        while true {
            let now = ContinuousClock.now
            let deadline = connections.values.compactMap(\.resumesAt).min()
            let milliseconds = deadline.map { Int32(max(0, (($0 - now) / .milliseconds(1)).rounded(.up))) } ?? -1
            var events = [pollfd(fd: control, events: Int16(POLLIN), revents: 0)]
            events.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            for (descriptor, connection) in connections {
                let wanted = Int16(POLLIN) | (connection.isBlocked ? Int16(POLLOUT) : 0)
                events.append(pollfd(fd: descriptor, events: wanted, revents: 0))
            }
            poll(&events, nfds_t(events.count), milliseconds)
            if events[0].revents != 0 { break }
            for event in events.dropFirst(2) where event.revents != 0 { serve(event.fd) }
            if events[1].revents != 0 { takeConnections() }
            for descriptor in Array(connections.keys) { advance(descriptor) }
        }
        for descriptor in connections.keys { close(descriptor) }
        close(listener)
        close(control)
    }

    private mutating func takeConnections() {
        while true {
            let descriptor = Command.whileNoneStarts {
                let descriptor = accept(listener, nil, nil)
                return fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? descriptor : -1
            }
            guard descriptor >= 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return }
            accepted += 1
            var connection = HostileConnection(descriptor: descriptor, number: accepted)
            if let greeting = cloud.value.withLock({ $0.greeting() }) { connection.steps = greeting.steps }
            connections[descriptor] = connection
        }
    }

    /// Reads what is there and answers what is complete.
    private mutating func serve(_ descriptor: Int32) {
        guard var connection = connections[descriptor] else { return }
        // Few bytes at a time: what comes before the body of a request can be seen without the body.
        var buffer = [UInt8](repeating: 0, count: accepted % 4 == 0 ? 256 : 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 || (count < 0 && errno == EAGAIN) else { return end(descriptor) }
        connection.input += buffer.prefix(max(0, count))
        if let request = connection.takeRequest() {
            answer(request, &connection)
        } else if connection.hasUnansweredHead {
            connection.hasUnansweredHead = false
            if let script = cloud.value.withLock({ $0.interruption() }) { connection.steps += script.steps }
        }
        connections[descriptor] = connection
    }

    private mutating func answer(_ request: HostileConnection.Request, _ connection: inout HostileConnection) {
        let script = cloud.value.withLock {
            $0.answer(request.question, requestID: request.requestID, secret: request.secret)
        }
        guard script.isCrossed, case .submission(let instances) = request.question else {
            connection.steps += script.steps
            return
        }
        if let other = crossing, var first = connections[other.descriptor], first.number == other.number,
            first.descriptor != connection.descriptor, Set(instances).isDisjoint(with: other.instances)
        {
            first.steps += script.steps
            connections[other.descriptor] = first
            connection.steps += other.steps
            crossing = nil
        } else {
            crossing = (connection.descriptor, connection.number, instances, script.steps)
        }
    }

    /// Goes on with the script of a connection as far as its pauses and the socket let it.
    private mutating func advance(_ descriptor: Int32) {
        guard var connection = connections[descriptor] else { return }
        if connection.advance(at: .now) { connections[descriptor] = connection } else { end(descriptor) }
    }

    private mutating func end(_ descriptor: Int32) {
        connections[descriptor] = nil
        close(descriptor)
    }
}
