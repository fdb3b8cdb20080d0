extension KooPhoneClient {
    /// Where the API is and how to talk to it.
    public struct Configuration: Sendable {
        let endpoint: Endpoint
        let credentials: Credentials
        let timeout: Duration
        let connections: Int
        let userAgent: String

        /// Creates a configuration.
        ///
        /// - Parameters:
        ///   - endpoint: the URL before `/v1/…`: `https`, or `http` to a loopback address.
        ///   - credentials: what proves to the API who asks.
        ///   - timeout: of a whole request, from the first look for a connection to the last byte of the answer.
        ///   - connections: the most that are open at once: requests and queries in flight together.
        ///   - userAgent: `koobatch/` and the version.
        /// - Throws: what is wrong with the endpoint.
        public init(
            endpoint: String,
            credentials: Credentials,
            timeout: Duration,
            connections: Int,
            userAgent: String
        ) throws(EndpointError) {
            self.endpoint = try Endpoint(endpoint)
            self.credentials = credentials
            self.timeout = timeout
            self.connections = max(1, connections)
            self.userAgent = userAgent
        }
    }
}
