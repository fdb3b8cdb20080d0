/// Lists of instances: any bytes, in the form that is recognised and in each form by name.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    for format in [nil] + InstanceListParser.Format.allCases {
        do {
            let list = try InstanceListParser(format: format).parse(bytes)
            precondition(list.ids.count == list.positions.count && !list.ids.isEmpty)
            for id in list.ids {
                precondition((1...32).contains(id.utf8.count))
                precondition(id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
            }
            let again = "instance_id\n" + list.ids.map { CSVField.written($0, isMarked: true) + "\n" }.joined()
            let read = try InstanceListParser(format: .csv).parse(Array(again.utf8)).ids
            precondition(read == list.ids)
        } catch let error as InstanceListError {
            precondition(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
        } catch {
            preconditionFailure("\(error)")
        }
    }
    return 0
}
