/// What every answer of the API is wrapped in.
struct Envelope<Content: Decodable>: Decodable {
    /// The code of an answer that is no failure.
    static var success: String { "0" }

    let errorCode: String?
    let errorMessage: String?
    /// `data`, of an answer that is no failure.
    let content: Content?

    private enum CodingKeys: String, CodingKey {
        case data
        case errorCode = "error_code"
        case errorMessage = "error_msg"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let code = try container.decodeIfPresent(Scalar.self, forKey: .errorCode)?.text
        errorCode = code.flatMap { $0.isEmpty ? nil : PlainText.bounded($0, to: 64) }
        errorMessage = try container.decodeIfPresent(Scalar.self, forKey: .errorMessage)?.text
            .map { PlainText.bounded($0) }
        content = errorCode == Self.success ? try container.decodeIfPresent(Content.self, forKey: .data) : nil
    }
}

/// A string, or a number in place of one; anything else reads as nothing, so that one odd field spoils no answer.
struct Scalar: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            text = try container.decode(String.self)
        } catch {
            text = Self.number(in: container)
        }
    }

    private static func number(in container: any SingleValueDecodingContainer) -> String? {
        do {
            return String(try container.decode(Int64.self))
        } catch {
            return nil
        }
    }
}
