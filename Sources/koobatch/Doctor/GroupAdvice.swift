import Foundation

/// What somebody is to do whom the permissions keep from the database.
enum GroupAdvice {
    /// Of a database, or of its directory where that hides it.
    static func toUse(_ path: String) -> String {
        let directory = URL(filePath: path).deletingLastPathComponent().path
        guard let facts = FileFacts(path) ?? FileFacts(directory), facts.isOpenToGroup,
            !FileFacts.groups.contains(facts.groupID)
        else { return "run this as a user who may, such as the daemon's" }
        return "join its group: \(command(facts)), and log in again; or use sudo"
    }

    /// The command that makes this user a member of the group of a file.
    static func command(_ facts: FileFacts) -> String {
        "sudo usermod -aG \(facts.group) \(FileFacts.userName(geteuid()))"
    }
}
