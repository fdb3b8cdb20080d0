/// Answers that accept nothing: refusals of the API, pages of somebody else, redirects and throttling.
struct OtherAnswers {
    let texts: HostileText

    /// An answer, its kind, and whether a client may conclude from it that the request was not acted on.
    struct Answer {
        let kind: String
        var response: RawResponse
        let allowsRepetition: Bool
    }

    func answer(_ dice: inout Dice) -> Answer {
        switch dice.int(0...9) {
        case 0...2: refusal(&dice)
        case 3...5: page(&dice)
        case 6: redirect(&dice)
        case 7: throttling(&dice)
        case 8: credentials(&dice)
        default: unavailable(&dice)
        }
    }

    /// The error body of the API.
    static func body(_ code: String, _ message: String, extra: String = "") -> [UInt8] {
        HostileText.bytes(of: #"{"error_code":"\#(code)","error_msg":"\#(message)"\#(extra)}"#)
    }

    private func message(_ dice: inout Dice) -> String {
        dice.percent(50) ? "a refusal" : texts.text(&dice).text
    }

    /// A refusal of what was asked.
    private func refusal(_ dice: inout Dice) -> Answer {
        let code = dice.pick(
            "KOOPHONE.API.1000",
            "KOOPHONE.API.1001",
            "KOOPHONE.API.2004",
            "KOOPHONE.API.2005",
            "KOOPHONE.API.1004",
            "KOOPHONE.API.0001",
            "KOOPHONE.API.9999",
            "APIGW.0201",
            "APIGW.0101",
            "KOOPHONE.API.1323",
            "common.0001"
        )
        let extra = dice.pick("", #","data":null"#, #","data":{}"#, #","request_id":"\#(texts.secret)""#)
        let status = dice.pick(400, 403, 404, 200, 500, dice.int(400...599))
        // An internal error may follow the act whatever its status is, and so may what some statuses tell of.
        let isClear = code != "KOOPHONE.API.9999" && status < 500
        let response = RawResponse(status, Self.body(code, message(&dice), extra: extra))
        return Answer(kind: "refusal", response: response, allowsRepetition: isClear)
    }

    /// A page of a proxy, gateway or firewall with any status, or with no body.
    private func page(_ dice: inout Dice) -> Answer {
        let status = dice.pick(dice.int(400...499), dice.int(500...599), dice.int(0...999))
        var response = RawResponse(
            status,
            HostileText.bytes(
                of: dice.pick(
                    "<html><body>\(texts.secret)</body></html>",
                    "",
                    "Bad gateway",
                    "null",
                    "[]",
                    "\"a\"",
                    "{}",
                    #"{"error_code":}"#,
                    #"{"message":"x"}"#,
                    "\u{E000}\u{E003}"
                )
            )
        )
        response.fields = ["Content-Type: text/html"]
        let isRefusal = (400..<500).contains(status) && ![408, 409, 499].contains(status)
        return Answer(kind: "page", response: response, allowsRepetition: isRefusal)
    }

    private func redirect(_ dice: inout Dice) -> Answer {
        var response = RawResponse(dice.pick(301, 302, 303, 307, 308, 300, 304, 399), "{}")
        let target = dice.pick(
            "http://127.0.0.1:1/",
            "/v1/elsewhere",
            "https://\(texts.secret).example/\(texts.secret)",
            "//\(texts.secret)",
            "",
            "http://[",
            "http://user:\(texts.secret)@a/",
            "javascript:1",
            "https://%4d%49%49/",
            "http://\u{202E}a/"
        )
        response.fields.append("Location: \(target)")
        return Answer(kind: "redirect", response: response, allowsRepetition: false)
    }

    private func throttling(_ dice: inout Dice) -> Answer {
        let status = dice.pick(429, 429, 503, 200, 500)
        let named = dice.pick(
            "too many requests",
            "limit:100,time:1 second",
            "limit:0,time:0",
            "limit:9999999,time:1 second"
        )
        var response = RawResponse(status, Self.body(dice.pick("APIGW.0308", "APIG.0308"), named))
        response.fields.append("Retry-After: " + ResponseMutation.retryAfter(texts.secret, &dice))
        return Answer(kind: "throttling", response: response, allowsRepetition: true)
    }

    private func credentials(_ dice: inout Dice) -> Answer {
        let body = dice.pick(
            [],
            Self.body("APIGW.0301", message(&dice)),
            Self.body("KOOPHONE.API.1001", message(&dice))
        )
        var response = RawResponse(401, body)
        response.fields.append("WWW-Authenticate: \(texts.secret)")
        return Answer(kind: "credentials", response: response, allowsRepetition: true)
    }

    /// "Not now": status 503 with a time to come again.
    private func unavailable(_ dice: inout Dice) -> Answer {
        var response = RawResponse(503, dice.pick(Self.body("KOOPHONE.API.9999", "busy"), [], Array("<html/>".utf8)))
        response.fields.append("Retry-After: " + ResponseMutation.retryAfter(texts.secret, &dice))
        return Answer(kind: "unavailable", response: response, allowsRepetition: true)
    }
}
