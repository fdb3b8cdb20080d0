import ArgumentParser
import KooPhoneSimulator

/// Where to listen, and the rules that differ between editions of the API.
struct AddressOptions: ParsableArguments {
    @Option(help: "Loopback address or name to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port to listen on; 0 takes a free one.")
    var port = 18080

    @Option(help: "The most instances that one request may name.")
    var maxInstances = 32

    func validate() throws {
        guard SimulatorConfiguration.isLoopback(host) else {
            throw ValidationError("--host must be a loopback address: 127.0.0.1, ::1 or localhost")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be 0 to 65535") }
        guard maxInstances > 0 else { throw ValidationError("--max-instances must be at least 1") }
    }

    func apply(to configuration: inout SimulatorConfiguration) {
        configuration.host = host
        configuration.port = port
        configuration.maxInstances = maxInstances
    }
}
