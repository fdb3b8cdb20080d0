import KoobatchCore
import TestSupport
import Testing

/// What the code knows of the API's error codes against what the schema seeds.
@Suite("Error policies", .database)
struct ErrorPoliciesTests {
    @Test(
        "a code that the code acts upon has its row, with the action that fits",
        arguments: APICode.throttled.map { ($0, ErrorAction.retry) }
            + APICode.badCredentials.map { ($0, .authenticate) }
            + [(APICode.noPermissionForInstance, .split), (APICode.noSuchTask, .fail)]
    )
    func seeded(code: String, action: ErrorAction) throws {
        let shell = try TestDatabase.current().shell
        #expect(try shell.value("SELECT action FROM error_policies WHERE code = '\(code)';") == action.rawValue)
    }

    @Test("every row is of a documented code, and its action one that the code knows")
    func known() throws {
        for row in try TestDatabase.current().shell.rows("SELECT code, action FROM error_policies;") {
            #expect(row[0].contains(#/^(KOOPHONE\.API|APIGW|APIG)\.[0-9]{4}$/#), "\(row)")
            #expect(ErrorAction(rawValue: row[1]) != nil, "\(row)")
        }
    }
}
