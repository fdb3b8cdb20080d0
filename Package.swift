// swift-tools-version: 6.2

import PackageDescription

/// The settings of every target of our own: one language mode, imports that say what they expose,
/// and no warning that is left to rot.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "koobatch",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "koobatch", targets: ["koobatch"]),
        .executable(name: "koophone-sim", targets: ["koophone-sim"]),
        .executable(name: "koobatch-bench", targets: ["koobatch-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 0: vocabulary and pure decisions; the schema.
        .target(
            name: "KoobatchCore",
            swiftSettings: strict
        ),
        .target(
            name: "KoobatchMigrations",
            path: "migrations",
            resources: [
                .embedInCode("0001_schema.sql"),
                .embedInCode("0002_cheaper_checks.sql"),
                .embedInCode("0003_change_in_place.sql"),
            ],
            swiftSettings: strict
        ),

        .target(
            name: "PrometheusText",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict
        ),
        .target(
            name: "MetricsEndpoint",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        // Floor 1: the only SQL in Swift, and the only HTTP.
        .target(name: "CSQLiteSettings"),
        .target(
            name: "KoobatchStore",
            dependencies: [
                "CSQLiteSettings",
                "KoobatchCore",
                "KoobatchMigrations",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "KoobatchCloud",
            dependencies: [
                "KoobatchCore",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOFoundationEssentialsCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict
        ),

        // Floor 2: the stages; the page of a job.
        .target(
            name: "KoobatchReport",
            dependencies: ["KoobatchCore", "KoobatchStore"],
            swiftSettings: strict
        ),
        .target(
            name: "KoobatchEngine",
            dependencies: [
                "KoobatchCore",
                "KoobatchStore",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        // Floor 3: the program.
        .executableTarget(
            name: "koobatch",
            dependencies: [
                "KoobatchCloud",
                "KoobatchCore",
                "KoobatchEngine",
                "KoobatchReport",
                "KoobatchStore",
                "MetricsEndpoint",
                "PrometheusText",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),

        // Beside the product, for development, tests, demo and benchmarks.
        .target(
            name: "KooPhoneSimulator",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "koophone-sim",
            dependencies: [
                "KooPhoneSimulator",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "koobatch-bench",
            dependencies: [
                "KoobatchCloud",
                "KoobatchCore",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Benchmark",
            swiftSettings: strict
        ),

        .target(
            name: "TestSupport",
            dependencies: [.product(name: "Logging", package: "swift-log")],
            path: "Tests/TestSupport",
            swiftSettings: strict
        ),
        .target(
            name: "ServiceConformance",
            dependencies: ["KoobatchCore"],
            path: "Tests/ServiceConformance",
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchCoreTests",
            dependencies: ["KoobatchCore", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchReportTests",
            dependencies: ["KoobatchCore", "KoobatchReport", "KoobatchStore"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "MetricsTests",
            dependencies: [
                "MetricsEndpoint",
                "PrometheusText",
                "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchTests",
            dependencies: [
                "KoobatchCloud",
                "KoobatchCore",
                "KoobatchEngine",
                "KoobatchStore",
                "PrometheusText",
                "TestSupport",
                "koobatch",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchStoreTests",
            dependencies: [
                "KoobatchCore",
                "KoobatchMigrations",
                "KoobatchReport",
                "KoobatchStore",
                "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchEngineTests",
            dependencies: [
                "KoobatchCore",
                "KoobatchEngine",
                "KoobatchStore",
                "ServiceConformance",
                "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KoobatchCloudTests",
            dependencies: [
                "KooPhoneSimulator",
                "KoobatchCloud",
                "KoobatchCore",
                "ServiceConformance",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KooPhoneSimulatorTests",
            dependencies: [
                "KooPhoneSimulator",
                "TestSupport",
                "koophone-sim",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["KoobatchMigrations", "TestSupport", "koobatch", "koophone-sim"],
            swiftSettings: strict
        ),
    ]
)
