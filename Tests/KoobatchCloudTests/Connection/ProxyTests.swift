import KoobatchCore
import Testing

@testable import KoobatchCloud

@Suite
struct ProxyTests {
    @Test(
        arguments: [
            ("http://proxy:3128", "proxy:3128 (x)"), ("proxy:3128", "proxy:3128 (x)"), ("HTTP://P:1/", "P:1 (x)"),
            ("[::1]:8080", "[::1]:8080 (x)"), ("http://u:p%40ss@proxy:3128", "proxy:3128 (x)"),
        ]
    )
    func `A proxy is a URL with a port, and is never shown with its credentials`(_ text: String, _ shown: String) throws
    {
        let proxy = try Proxy(text, source: "x", allowsUserInfo: true)
        #expect("\(proxy)" == shown)
    }

    @Test
    func `Credentials in a variable are decoded`() throws {
        let proxy = try Proxy("http://u:p%40ss@proxy:3128", source: "x", allowsUserInfo: true)
        #expect(proxy.login == Proxy.Login(user: "u", password: "p@ss"))
    }

    @Test(
        arguments: [
            ("socks5://proxy:1080", .scheme("socks5")), ("https://proxy:443", .scheme("https")), ("proxy", .noPort),
            ("http://u:secret@proxy:1", .userInfo), ("u@proxy:1", .userInfo), ("http://proxy:0", .notURL),
            ("http://proxy:1/path", .notURL), ("http://proxy:1?q", .notURL), ("http://", .notURL), ("", .notURL),
        ] as [(String, ProxyError)]
    )
    func `What cannot be used is refused without its text`(_ text: String, _ expected: ProxyError) throws {
        let error = try #require(
            #expect(throws: ProxyError.self) { try Proxy(text, source: "x", allowsUserInfo: false) }
        )
        #expect(error == expected)
        #expect(!error.description.contains("secret"))
    }

    @Test
    func `The password comes from a file`() throws {
        let file = try ScratchFile("p:w d\n")
        let bare = try Proxy("proxy:1", source: "x", allowsUserInfo: false)
        let complete = try bare.with(user: "u", passwordFile: file.path)
        #expect(complete.login == Proxy.Login(user: "u", password: "p:w d"))
        #expect(throws: ProxyError.colonInUser) { try bare.with(user: "a:b", passwordFile: file.path) }
        try file.write("")
        let empty = #expect(throws: ProxyError.self) { try bare.with(user: "u", passwordFile: file.path) }
        #expect(empty?.description.contains("\(file.path) is empty") == true)
    }

    @Test(
        arguments: [
            ("*", "any.example", 443, true), ("example.com", "example.com", 443, true),
            ("example.com", "api.example.com", 443, true), (".example.com", "api.example.com", 443, true),
            ("*.example.com", "api.example.com", 443, true), ("Example.COM.", "API.example.com.", 443, true),
            ("example.com", "notexample.com", 443, false), ("a, example.com  b", "example.com", 443, true),
            ("example.com:8443", "example.com", 8_443, true), ("example.com:8443", "example.com", 443, false),
            ("10.0.0.0/8", "10.1.2.3", 443, true), ("10.0.0.0/8", "11.1.2.3", 443, false),
            ("192.168.1.128/25", "192.168.1.127", 443, false), ("192.168.1.128/25", "192.168.1.200", 443, true),
            ("10.1.2.3", "10.1.2.3", 443, true), ("1.2.3", "10.1.2.3", 443, false),
            ("10.0.0.0/33", "10.0.0.1", 443, false),
            ("2001:db8::/32", "2001:db8::1", 443, true), ("[2001:db8::1]:443", "2001:db8::1", 443, true),
            ("2001:db8::1", "2001:0db8:0:0::1", 443, true), ("0.0.0.0/0", "name.example", 443, false),
            ("", "a", 443, false),
            (",", "a", 443, false), (".", "a", 443, false),
        ] as [(String, String, Int, Bool)]
    )
    func `NO_PROXY lists hosts by curl's rules`(_ list: String, _ host: String, _ port: Int, _ isListed: Bool) {
        #expect((NoProxy(list).entry(for: host, port: port) != nil) == isListed)
    }

    @Test
    func `A route says what decided it`() throws {
        let proxy = try Proxy("http://u:secret@proxy:3128", source: "HTTPS_PROXY", allowsUserInfo: true)
        func route(_ endpoint: String, _ network: Network) throws -> String {
            "\(network.route(to: try Endpoint(endpoint)))"
        }
        let network = Network(proxy: proxy, noProxy: NoProxy("iam.example"))
        #expect(try route("https://koophone.example", Network()) == "direct")
        #expect(try route("https://koophone.example", network) == "through the proxy proxy:3128 (HTTPS_PROXY)")
        #expect(try route("https://iam.example", network) == "direct (NO_PROXY lists iam.example)")
        #expect(try route("http://127.0.0.1:8080", network) == "direct (a loopback address without TLS)")
    }
}
