/// What the simulator counted since it started or was reset.
struct Statistics: Codable, Sendable, Equatable {
    var submissionsReceived = 0
    var submissionsExecuted = 0
    /// Answered with an error of the service and not executed.
    var submissionsRefused = 0
    var submissionsThrottled = 0
    /// Neither executed nor answered.
    var submissionsIgnored = 0
    var queriesReceived = 0
    var queriesThrottled = 0
    /// Submissions and queries.
    var unauthenticated = 0
    var tokensIssued = 0
    var tokensRefused = 0
    var instancesExecuted = 0
    var maxInstancesInOneRequest = 0
    /// Submissions and queries.
    var peakRequestsWithinOneSecond = 0
}
