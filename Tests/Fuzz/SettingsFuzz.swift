import Foundation

private let path = "/dev/shm/koobatch-fuzz-\(getpid()).yaml"
private let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)

/// The reader of the configuration: any bytes as the file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    precondition(ftruncate(descriptor, 0) == 0 && pwrite(descriptor, start, count, 0) == count)
    do {
        let file = try SettingsFile(path: path, mayBeMissing: false)
        var reader = SettingsReader(file: file, environment: [:], flags: [:])
        for key in SettingsKey.all where file.lines[key.name] != nil {
            _ = reader.text(key)
            _ = reader.whole(key, in: 1...100)
            _ = reader.duration(key, in: 0...86_400)
            _ = reader.rate(key, in: 0.001...1_000)
            _ = reader.flag(key)
        }
        _ = reader.database()
        for problem in reader.problems { precondition(!problem.description.isEmpty) }
    } catch let error as SettingsProblems {
        precondition(!error.description.isEmpty)
    } catch {
        preconditionFailure("\(error)")
    }
    return 0
}
