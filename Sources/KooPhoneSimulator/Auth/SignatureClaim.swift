/// What an `Authorization` header claims.
struct SignatureClaim {
    let access: String
    let signedHeaders: [String]
    let signature: String

    init?(_ authorization: String, algorithm: String) {
        guard authorization.hasPrefix(algorithm + " ") else { return nil }
        var fields: [Substring: Substring] = [:]
        for part in authorization.dropFirst(algorithm.count + 1).split(separator: ",") {
            let pair = part.drop(while: \.isWhitespace).split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { return nil }
            fields[pair[0]] = pair[1]
        }
        guard let access = fields["Access"], let headers = fields["SignedHeaders"], let signature = fields["Signature"]
        else { return nil }
        self.access = String(access)
        self.signedHeaders = headers.split(separator: ";").map(String.init)
        self.signature = String(signature)
    }
}
