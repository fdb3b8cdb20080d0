import Testing

@testable import KoobatchCloud

@Suite
struct EndpointTests {
    @Test(arguments: [
        ("https://koophone.example.com", "https://koophone.example.com"),
        ("https://koophone.example.com/", "https://koophone.example.com"),
        ("HTTPS://KooPhone.Example.com:8443/a/b//", "https://koophone.example.com:8443/a/b"),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("https://10.0.0.1/a%20b/%c3%bc//%7e%2f", "https://10.0.0.1/a%20b/%C3%BC/~%2F"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.1.2.3:1", "http://127.1.2.3:1"),
        ("http://[::1]:8080/api", "http://[::1]:8080/api"),
    ])
    func `An address of an API is accepted`(text: String, url: String) throws {
        #expect(try Endpoint(text).url == url)
    }

    @Test(
        arguments: [
            ("", .notURL("")),
            ("koophone.example.com", .notURL("koophone.example.com")),
            ("https://", .notURL("https://")),
            ("https:///path", .notURL("https:///path")),
            ("https://a b", .notURL("https://a b")),
            ("https://host:0", .notURL("https://host:0")),
            ("https://host:65536", .notURL("https://host:65536")),
            ("ftp://koophone.example.com", .scheme("ftp")),
            ("http+unix://%2Ftmp%2Fx", .scheme("http+unix")),
            ("https://user@koophone.example.com", .userInfo),
            ("https://user:secret@koophone.example.com", .userInfo),
            ("https://koophone.example.com?a=b", .queryOrFragment),
            ("https://koophone.example.com/#top", .queryOrFragment),
            ("http://koophone.example.com", .plainHTTP("koophone.example.com")),
            ("http://10.0.0.1", .plainHTTP("10.0.0.1")),
            ("http://127.0.0.1.example.com", .plainHTTP("127.0.0.1.example.com")),
            ("http://localhost.example.com", .plainHTTP("localhost.example.com")),
            ("http://127.1", .plainHTTP("127.1")),
            ("http://[::2]", .plainHTTP("[::2]")),
        ] as [(String, EndpointError)]
    )
    func `Anything else is refused, with a reason`(text: String, problem: EndpointError) {
        #expect(throws: problem) { try Endpoint(text) }
        #expect(!problem.description.contains("secret"))
    }
}
