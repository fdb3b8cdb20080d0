import Foundation
import KoobatchStore
import TestSupport
import Testing

@Suite("Modes of the database's files")
struct FileModeTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(
        "whoever shares the directory by its group may write the database, its WAL and its lock; nobody else may more than usual",
        arguments: [(0o2770, 0o660), (0o2775, 0o660), (0o2750, nil), (0o770, nil), (0o755, nil)]
    )
    func modes(ofDirectory mode: Int, expected: Int?) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory.path("."))
        try Data().write(to: URL(filePath: directory.path("plain")))
        let usual = try attribute(.posixPermissions, of: "plain")
        let path = directory.path("koobatch.db")
        let lock = try OwnerLock(database: path, owner: "test")
        try Store.migrate(path: path)
        let store = try Store(path: path)
        for file in ["koobatch.db", "koobatch.db-wal", "koobatch.db-shm", "koobatch.db.lock"] {
            #expect(try attribute(.posixPermissions, of: file) == expected ?? usual, "\(file)")
        }
        withExtendedLifetime(store) {}
        _ = consume lock
    }

    @Test("what root creates belongs to the owner of the directory", .enabled(if: geteuid() == 0))
    func owner() throws {
        try FileManager.default.setAttributes(
            [.ownerAccountID: 4_711, .groupOwnerAccountID: 4_712],
            ofItemAtPath: directory.path(".")
        )
        let path = directory.path("koobatch.db")
        let lock = try OwnerLock(database: path, owner: "test")
        try Store.migrate(path: path)
        let store = try Store(path: path)
        for file in ["koobatch.db", "koobatch.db-wal", "koobatch.db-shm", "koobatch.db.lock"] {
            #expect(try attribute(.ownerAccountID, of: file) == 4_711, "\(file)")
            #expect(try attribute(.groupOwnerAccountID, of: file) == 4_712, "\(file)")
        }
        withExtendedLifetime(store) {}
        _ = consume lock
    }

    @Test("a file that is there keeps its mode")
    func existing() throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o2770], ofItemAtPath: directory.path("."))
        let path = directory.path("koobatch.db")
        try Store.migrate(path: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Store.migrate(path: path)
        #expect(try attribute(.posixPermissions, of: "koobatch.db") == 0o600)
    }

    private func attribute(_ key: FileAttributeKey, of file: String) throws -> Int? {
        let value = try FileManager.default.attributesOfItem(atPath: directory.path(file))[key]
        return (value as? NSNumber)?.intValue
    }
}
