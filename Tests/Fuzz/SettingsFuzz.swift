import Foundation

/// The reader of the configuration: any bytes as the file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let path = "/dev/shm/koobatch-fuzz-\(getpid()).yaml"
    do {
        try Data(UnsafeBufferPointer(start: start, count: count)).write(to: URL(filePath: path))
    } catch {
        preconditionFailure("\(error)")
    }
    do {
        let file = try SettingsFile(path: path, mayBeMissing: false)
        var reader = SettingsReader(file: file, environment: [:], flags: [:])
        for key in SettingsKey.all {
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
