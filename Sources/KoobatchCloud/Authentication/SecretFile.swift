import Foundation
import KoobatchCore
import Logging
import Synchronization

/// A secret in a file, which is read again whenever the file changes and after the secret was refused.
final class SecretFile: Sendable {
    /// What is in a file.
    enum Kind: Sendable {
        case token
        case password
        case secretKey
        case proxyPassword
    }

    /// The longest file that is read, in bytes; tokens have a few thousand.
    fileprivate static let longest = 64 << 10

    private struct State {
        var secret: String?
        var version: FileVersion?
        /// Of the file when it was last read, with or without success.
        var lastRead: FileVersion?
        var hasWarned = false
    }

    private let path: String
    private let kind: Kind
    private let logger: Logger
    private let state = Mutex(State())

    init(path: String, kind: Kind, logger: Logger) {
        self.path = path
        self.kind = kind
        self.logger = logger
    }

    /// The secret, without white space around it.
    ///
    /// - Throws: a failure that says what is wrong with the file and what to do, never what is in it.
    func secret() throws(ServiceFailure) -> String {
        let outcome = state.withLock { state -> Result<String, ServiceFailure> in
            if let secret = state.secret, let version = state.version, version == FileVersion(path: path) {
                return .success(secret)
            }
            return read(into: &state)
        }
        return try outcome.get()
    }

    /// Notes that a secret was refused: if it is still the one in force, the file is read again.
    func refused(_ secret: String) {
        state.withLock { state in
            if state.secret == secret { state.secret = nil }
        }
    }

    /// Reads the file again when the secret is next asked for.
    func readAgain() {
        state.withLock { $0.secret = nil }
    }

    /// Whether the file has changed since it was last read.
    var hasChanged: Bool {
        state.withLock { $0.lastRead != FileVersion(path: path) }
    }

    private func read(into state: inout State) -> Result<String, ServiceFailure> {
        state.lastRead = FileVersion(path: path)
        let (text, version): (String, FileVersion)
        do throws(Flaw) {
            (text, version) = try Self.read(path, as: kind)
        } catch {
            return .failure(failure(error))
        }
        if version.isReadableByOthers, !state.hasWarned {
            state.hasWarned = true
            logger.warning(
                "A file with a secret is readable by every user of this machine; make it mode 0600",
                metadata: [LogKeys.file: "\(path)", LogKeys.mode: "\(String(version.mode & 0o777, radix: 8))"]
            )
        }
        state.secret = text
        state.version = version
        return .success(text)
    }

    /// What is wrong with a file.
    struct Flaw: Error, CustomStringConvertible {
        let description: String
        /// Whether it is this process, which has no descriptor left, and not the file.
        var isOfProcess = false
    }

    /// Reads a secret, without white space around it.
    ///
    /// - Throws: what is wrong with the file, as the end of a sentence; never what is in it.
    static func read(_ path: String, as kind: Kind) throws(Flaw) -> (text: String, version: FileVersion) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            let isOfProcess = LocalShortage.codes.contains(code)
            throw Flaw(description: "cannot be read: \(Self.reason(code))", isOfProcess: isOfProcess)
        }
        defer { close(descriptor) }
        guard let version = FileVersion(descriptor: descriptor), version.isRegularFile else {
            throw Flaw(description: "is not a file")
        }
        guard let bytes = Self.contents(of: descriptor) else {
            throw Flaw(description: "cannot be read: \(Self.reason(errno))")
        }
        guard bytes.count <= Self.longest else { throw Flaw(description: "is too long for one") }
        let secret = Self.trimmed(bytes)
        guard !secret.isEmpty else { throw Flaw(description: "is empty") }
        guard secret.allSatisfy(kind.allows), let text = String(validating: secret, as: UTF8.self) else {
            throw Flaw(description: "holds characters that a \(kind.name) cannot have, such as a second line")
        }
        return (text, version)
    }

    private func failure(_ flaw: Flaw) -> ServiceFailure {
        if flaw.isOfProcess {
            return LocalShortage.failure("the \(kind.name) file \(path) \(flaw)")
        }
        return ServiceFailure(
            .unauthenticated,
            errorCode: ServiceFailure.Code.credentials,
            message: "the \(kind.name) file \(path) \(flaw); write a valid \(kind.name) to it (\(kind.key))"
        )
    }

    private static func contents(of descriptor: Int32) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: longest + 1) { buffer, count in
            while count < buffer.count {
                let got = Foundation.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                if got == 0 { return }
                if got > 0 {
                    count += got
                } else if errno != EINTR {
                    failed = true
                    return
                }
            }
        }
        return failed ? nil : bytes
    }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }),
            let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return bytes[first...last]
    }

    private static func reason(_ code: Int32) -> String {
        String(cString: strerror(code))
    }
}

extension SecretFile.Kind {
    fileprivate var name: String {
        switch self {
        case .token: "token"
        case .password: "password"
        case .secretKey: "secret key"
        case .proxyPassword: "proxy password"
        }
    }

    fileprivate var key: String {
        switch self {
        case .token: "koophone.auth.token_file"
        case .password: "koophone.auth.password_file"
        case .secretKey: "koophone.auth.secret_key_file"
        case .proxyPassword: "koophone.proxy_password_file"
        }
    }

    /// Whether a text can be a secret of this kind.
    func isValid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= SecretFile.longest && text.utf8.allSatisfy(allows)
    }

    /// A token goes into a header and a secret key is of its kind; a password may have any characters but controls.
    fileprivate func allows(_ byte: UInt8) -> Bool {
        switch self {
        case .token, .secretKey: (UInt8(ascii: "!")...UInt8(ascii: "~")).contains(byte)
        case .password, .proxyPassword: byte >= 0x20 && byte != 0x7F
        }
    }
}
