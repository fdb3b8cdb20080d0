extension KooPhoneClient {
    /// Where the API is and how to talk to it.
    public struct Configuration: Sendable {
        let endpoint: Endpoint
        let credentials: Credentials
        let timeout: Duration
        let connections: Int
        let userAgent: String
        /// The way there.
        public let network: Network

        /// Creates a configuration.
        ///
        /// - Parameters:
        ///   - endpoint: the URL before `/v1/…`: `https`, or `http` to a loopback address.
        ///   - credentials: what proves to the API who asks.
        ///   - timeout: of a whole request, from the first look for a connection to the last byte of the answer.
        ///   - connections: the most that are open at once: requests and queries in flight together.
        ///   - userAgent: `koobatch/` and the version.
        ///   - network: the way there.
        /// - Throws: what is wrong with the endpoint.
        public init(
            endpoint: String,
            credentials: Credentials,
            timeout: Duration,
            connections: Int,
            userAgent: String,
            network: Network = Network()
        ) throws(EndpointError) {
            self.endpoint = try Endpoint(endpoint)
            self.credentials = credentials
            self.timeout = timeout
            self.connections = max(1, connections)
            self.userAgent = userAgent
            self.network = network
        }

        /// The hosts that requests go to, the API first, and which way they go there.
        public var routes: [(host: String, route: Route)] {
            [endpoint, tokenEndpoint].compactMap(\.self).map { ($0.host, network.route(to: $0)) }
        }

        /// Of IAM, where it issues tokens.
        var tokenEndpoint: Endpoint? {
            if case .password(let login) = credentials { login.endpoint } else { nil }
        }
    }
}
