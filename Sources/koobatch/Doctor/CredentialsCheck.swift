import Foundation

/// The file with the secret: whether it is there, has something in it and is kept from others.
struct CredentialsCheck: DoctorCheck {
    private static let name = "credentials"

    let file: String

    /// Whether the file is there and kept from this user.
    var isOfOthers: Bool { access(file, F_OK) == 0 && access(file, R_OK) != 0 }

    func findings() -> [Finding] {
        guard access(file, F_OK) == 0, let facts = FileFacts(file), facts.isRegular else {
            return [
                .problem(
                    Self.name,
                    "there is no file \(file)",
                    advice: "Write the secret to it: sudo install -m 600 /dev/stdin \(file)"
                )
            ]
        }
        if isOfOthers {
            let user = FileFacts.userName(geteuid())
            return [
                .warning(
                    Self.name,
                    "\(user) may not read \(file), which belongs to \(facts.owner) with mode \(facts.mode)",
                    advice: "That is right if this is not the user of the daemon; use sudo to have it checked."
                )
            ]
        }
        if facts.size == 0 {
            return [.problem(Self.name, "\(file) is empty", advice: "Write the secret to it.")]
        }
        if facts.isReadableByOthers {
            return [
                .warning(
                    Self.name,
                    "\(file) has mode \(facts.mode): every user of this machine can read the secret",
                    advice: "chmod 600 \(file)"
                )
            ]
        }
        return [.ok(Self.name, file)]
    }
}
