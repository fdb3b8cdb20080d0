/// An API that answers as no API should, decides by a seed how, and keeps account of it.
struct HostileCloud {
    /// What a request asks for.
    enum Question {
        case submission(instances: [String])
        case query(task: String)
        case other
    }

    /// Whether it does as the documentation of the API says.
    var isHostile = true
    private(set) var truth = ExchangeTruth()
    private let seed: UInt64
    private let texts: HostileText
    /// How often each thing was asked for.
    private var visits: [String: Int] = [:]
    private var connections = 0

    init(seed: UInt64, secret: String) {
        self.seed = seed
        texts = HostileText(secret: secret)
    }

    /// What happens on a new connection before anything was read from it; mostly nothing.
    mutating func greeting() -> AnswerScript? {
        connections += 1
        var dice = Dice(seed: seed, subject: "connection \(connections)")
        guard isHostile, dice.percent(4) else { return nil }
        let kind = dice.pick("greeting.answer", "greeting.garbage", "greeting.close", "greeting.reset")
        truth.count([kind])
        return switch kind {
        case "greeting.answer":
            AnswerScript(steps: [.pause(milliseconds: dice.int(0...3)), .send(stranger(&dice))])
        case "greeting.garbage": AnswerScript(steps: [.send([0, 1, 2, 0xFF]), .pause(milliseconds: 20), .close])
        case "greeting.close": AnswerScript(steps: [.pause(milliseconds: dice.int(0...5)), .close])
        default: AnswerScript(steps: [.reset])
        }
    }

    /// What happens when the head of a submission is there and its body is not; mostly nothing.
    mutating func interruption() -> AnswerScript? {
        var dice = Dice(seed: seed, subject: "interruption \(connections) \(truth.exchanges)")
        guard isHostile, dice.percent(20) else { return nil }
        let ending = dice.pick(AnswerScript.Step.close, .reset, .pause(milliseconds: dice.int(1...50)))
        truth.count(["early-answer"])
        return AnswerScript(steps: dice.percent(30) ? [ending] : [.send(stranger(&dice)), ending])
    }

    /// The answer to a request that was read to its end.
    mutating func answer(_ question: Question, requestID: String, secret: String) -> AnswerScript {
        if secret != texts.secret { truth.complain("request \(requestID) with another secret") }
        let script: AnswerScript
        switch question {
        case .submission(let instances):
            script = submission(instances)
            truth.note(script, for: requestID, instances: instances)
        case .query(let task):
            truth.noteQuery(of: task)
            script = query(task)
        case .other:
            truth.complain("request \(requestID) for no path of the API")
            script = AnswerScript(steps: [.send(RawResponse(404, "").bytes)], kinds: ["other"])
        }
        truth.count(script.kinds)
        return script
    }

    private mutating func visit(_ subject: String) -> Dice {
        visits[subject, default: 0] += 1
        return Dice(seed: seed, subject: "\(subject) \(visits[subject] ?? 0)")
    }

    // MARK: Submissions

    private mutating func submission(_ instances: [String]) -> AnswerScript {
        var dice = visit("submission " + instances.joined(separator: ","))
        var acceptance = acceptance(of: instances, &dice)
        guard isHostile else {
            var script = AnswerScript(steps: [.send(RawResponse(200, acceptance.text).bytes)])
            script.mappings = acceptance.mappings
            return script
        }
        switch dice.int(1...100) {
        case 1...40:
            return mutated(acceptance, status: 200, kinds: [], mutations: dice.pick(0, 0, 1, 2), &dice)
        case 41...65:
            var kinds: [String] = []
            let mutation = AcceptanceMutation(texts: texts, strangers: strangers(of: instances))
            for _ in 0..<dice.pick(1, 1, 2) { kinds.append("json." + mutation.change(&acceptance, &dice)) }
            return mutated(acceptance, status: 200, kinds: kinds, mutations: dice.pick(0, 0, 0, 1), &dice)
        case 66...70:
            return mutated(acceptance, status: dice.int(0...999), kinds: ["status"], mutations: 0, &dice)
        case 71...74:
            return crossed(acceptance, &dice)
        default:
            return other(mutations: dice.pick(0, 0, 0, 1), &dice)
        }
    }

    private func acceptance(of instances: [String], _ dice: inout Dice) -> Acceptance {
        let mark = dice.name(9)
        return Acceptance(
            task: "t" + dice.name(20)
                + (dice.percent(5) ? dice.pick("/..", "%2e", "?a", "#", "&=", "'", "|", "..") : ""),
            entries: instances.enumerated().map { Acceptance.Entry(instance: $0.element, job: "\(mark)-\($0.offset)") }
        )
    }

    private func mutated(
        _ acceptance: Acceptance,
        status: Int,
        kinds: [String],
        mutations: Int,
        _ dice: inout Dice
    ) -> AnswerScript {
        let response = RawResponse(status, HostileText.bytes(of: acceptance.text))
        var script = mutation(&dice).script(response, mutations: mutations, &dice)
        script.mappings = acceptance.mappings
        script.kinds = kinds + script.kinds
        return script
    }

    /// An acceptance that goes to another request, in exchange for its own or instead of it.
    private func crossed(_ acceptance: Acceptance, _ dice: inout Dice) -> AnswerScript {
        if dice.percent(50) {
            var script = AnswerScript(steps: [.send(RawResponse(200, acceptance.text).bytes)], kinds: ["crossed"])
            (script.mappings, script.isCrossed) = (acceptance.mappings, true)
            return script
        }
        let own = Set(acceptance.entries.map(\.instance))
        let others = truth.submissions.suffix(50).filter { own.isDisjoint(with: $0.instances) && !$0.mappings.isEmpty }
        guard let other = dice.element(of: others), let task = other.mappings.first?.task else {
            return mutated(acceptance, status: 200, kinds: [], mutations: 0, &dice)
        }
        let entries = other.mappings.map { Acceptance.Entry(instance: $0.instance, job: $0.job) }
        let replay = RawResponse(200, Acceptance(task: task, entries: entries).text)
        return AnswerScript(steps: [.send(replay.bytes)], kinds: ["replayed"])
    }

    private func other(mutations: Int, _ dice: inout Dice) -> AnswerScript {
        let answer = OtherAnswers(texts: texts).answer(&dice)
        var script = mutation(&dice).script(answer.response, mutations: mutations, &dice)
        let asksToWait = answer.response.status == "503" && script.kinds.contains("head.retry-after")
        script.allowsRepetition = answer.allowsRepetition || asksToWait
        script.kinds.insert(answer.kind, at: 0)
        return script
    }

    private func strangers(of instances: [String]) -> [String] {
        let own = Set(instances)
        return truth.submissions.suffix(20).flatMap(\.instances).filter { !own.contains($0) }
    }

    private func mutation(_ dice: inout Dice) -> ResponseMutation {
        ResponseMutation(secret: texts.secret, stranger: stranger(&dice))
    }

    /// The bytes of an answer that belongs to no request and refuses none.
    private func stranger(_ dice: inout Dice) -> [UInt8] {
        let nobody = [Acceptance.Entry(instance: "nobody", job: dice.name(20))]
        return dice.pick(
            RawResponse(200, Acceptance(task: "stranger", entries: nobody).text).bytes,
            RawResponse(500, "").bytes,
            RawResponse(200, "{}").bytes,
            [0x20, 0xFF, 0],
            Array("HTTP/1.1 2".utf8)
        )
    }

    // MARK: Queries

    private mutating func query(_ task: String) -> AnswerScript {
        var dice = visit("query \(task)")
        guard let jobs = truth.jobs[task] else {
            truth.complain("a query of the task \(task), which was never named")
            let refusal = RawResponse(400, OtherAnswers.body("KOOPHONE.API.1323", "no such task"))
            return AnswerScript(steps: [.send(refusal.bytes)], kinds: isHostile ? ["query.no-task"] : [])
        }
        guard isHostile, dice.percent(60) else {
            return AnswerScript(steps: [.send(QueryAnswer.truthful(jobs).bytes)])
        }
        var script: AnswerScript
        switch dice.int(0...9) {
        case 0...5:
            let strangers = Array(truth.jobs.values.joined().prefix(3))
            let (kind, response) = QueryAnswer(texts: texts).mutated(jobs, strangers: strangers, &dice)
            script = mutation(&dice).script(response, mutations: dice.pick(0, 0, 1), &dice)
            script.kinds.insert(kind, at: 0)
        case 6, 7:
            script = mutation(&dice).script(QueryAnswer.truthful(jobs), mutations: dice.pick(1, 2), &dice)
        default:
            script = other(mutations: dice.pick(0, 1), &dice)
        }
        script.kinds = script.kinds.map { "query." + $0 }
        return script
    }
}
