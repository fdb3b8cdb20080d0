import KoobatchCore
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("A change of the configuration")
struct EngineSettingsTests {
    private static let other = PollSchedule(
        initialDelay: .seconds(3),
        maxDelay: .seconds(4),
        resultTimeout: .seconds(5)
    )

    @Test(
        "takes another schedule, and does not begin or end to poll",
        arguments: [
            (EngineBed.schedule, other, other), (EngineBed.schedule, nil, EngineBed.schedule), (nil, other, nil),
            (nil, nil, nil),
        ] as [(PollSchedule?, PollSchedule?, PollSchedule?)]
    )
    func polling(_ before: PollSchedule?, _ wanted: PollSchedule?, _ after: PollSchedule?) {
        let settings = EngineSettings(EngineBed.configuration(polling: before))
        let new = settings.change(to: EngineBed.configuration(chunkSize: 7, polling: wanted))
        #expect(new.rules.polling == after && new.chunkSize == 7)
        #expect(settings.current == new)
    }

    @Test("reaches the next turn of each stage, and wakes all of them")
    func reaches() async throws {
        let bed = try await EngineBed()
        try await bed.insert(9)
        _ = await bed.wokenStages()
        bed.engine.change(to: EngineBed.configuration(chunkSize: 9, requestsPerSecond: 2))
        #expect(await bed.wokenStages().count == 5)
        #expect(bed.gate.requestsPerSecond == 2)
        var driver = try SubmissionDriver(bed)
        try await driver.step()
        #expect(bed.service.submitted.first?.instances.count == 9)
    }

    @Test("does without a poller where results are not asked for")
    func noPoller() async throws {
        let bed = try await EngineBed(polling: nil)
        #expect(!bed.engine.services.contains { $0 is Poller })
        try await bed.insert(2)
        var driver = try SubmissionDriver(bed)
        try await driver.drain()
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["submitted"])
        #expect(try await bed.engine.activity() == .none)
        #expect(bed.engine.pause == nil)
    }

    @Test("of the clock is followed by waits, half a minute at a time")
    func waits() async {
        let clock = ManualTime()
        let time = clock.time
        #expect(time.pause(until: clock.now + .seconds(3_600)) == .seconds(30))
        #expect(time.pause(until: clock.now + .seconds(-1)) == .zero)
        #expect(await time.sleep(until: clock.now))
        let sleeping = Task { await time.sleep(until: clock.now + .seconds(9)) }
        await clock.sleeps(1)
        sleeping.cancel()
        #expect(await sleeping.value == false)
        #expect(EngineTime.system.uptime >= .zero && EngineTime.system.now > ManualTime.start)
        #expect(await EngineTime.system.sleep(until: EngineTime.system.now + .milliseconds(1)))
    }
}
