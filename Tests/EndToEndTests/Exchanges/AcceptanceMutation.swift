/// Makes the JSON of an acceptance wrong.
struct AcceptanceMutation {
    let texts: HostileText
    /// Instances that other requests of the run asked for.
    let strangers: [String]

    /// Changes an acceptance and says how.
    func change(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        switch dice.int(0...9) {
        case 0...3: changeEntries(&answer, &dice)
        case 4: changeTask(&answer, &dice)
        case 5: changeCode(&answer, &dice)
        case 6: changeStructure(&answer, &dice)
        default: changeTexts(&answer, &dice)
        }
    }

    private func changeEntries(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        guard !answer.entries.isEmpty else { return "entries" }
        let index = dice.int(0...answer.entries.count - 1)
        let entry = answer.entries[index]
        switch dice.int(0...11) {
        case 0:
            answer.entries = Array(dice.shuffled(answer.entries).dropLast(dice.int(1...answer.entries.count)))
            return "missing-instances"
        case 1:
            answer.entries.insert(entry, at: dice.int(0...answer.entries.count))
            return "repeated-instance"
        case 2:
            answer.entries.append(.init(instance: entry.instance, job: dice.name(20)))
            return "instance-with-two-jobs"
        case 3:
            answer.entries.insert(.init(instance: stranger(&dice), job: dice.name(20)), at: index)
            return "foreign-instance"
        case 4:
            answer.entries = answer.entries.map { _ in .init(instance: stranger(&dice), job: dice.name(20)) }
            return "all-foreign"
        case 5:
            let (before, after) = dice.pick(
                (" ", ""),
                ("", " "),
                (#"\t"#, ""),
                ("", #"\u0000"#),
                ("", "\u{200B}"),
                ("", #"\n"#)
            )
            answer.entries[index].instance = before + entry.instance + after
            return "padded-instance"
        case 6:
            answer.entries[index].instance = entry.instance.uppercased()
            return "uppercase-instance"
        case 7:
            for other in answer.entries.indices { answer.entries[other].job = entry.job }
            return "equal-jobs"
        case 8:
            answer.entries[dice.int(0...answer.entries.count - 1)].job = entry.job
            return "job-twice"
        case 9:
            answer.entries = dice.shuffled(answer.entries)
            return "order"
        case 10:
            // Jobs that are given to the neighbours would be a lie that nobody can see; ones that are no ids can be seen.
            answer.entries[index].job = dice.pick(
                "",
                " ",
                "a b",
                "\u{202E}a",
                String(repeating: "j", count: 65),
                #"\u0000"#
            )
            return "bad-job"
        default:
            answer.entries = []
            return "no-jobs"
        }
    }

    private func stranger(_ dice: inout Dice) -> String {
        dice.percent(50) ? dice.element(of: strangers) ?? "nobody" : "x" + dice.name(7)
    }

    private func changeTask(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        let long = String(repeating: "t", count: dice.pick(33, 64, 5_000))
        answer.task = dice.pick(
            nil,
            "null",
            "17",
            "{}",
            "[]",
            "true",
            #""""#,
            #"" ""#,
            "\"\(long)\"",
            #""a\u0000b""#,
            #""a\nb""#,
            #""té""#,
            #""\u202ea""#,
            "\"\(texts.secretText(&dice).text)\"",
            "1e400",
            "-0"
        )
        return "task"
    }

    private func changeCode(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        answer.code = dice.pick(
            "0",
            "0.0",
            "-0",
            "0e0",
            "null",
            "false",
            "{}",
            "[]",
            #""""#,
            #""00""#,
            #""0 ""#,
            #""OK""#,
            "1",
            "1e999",
            #""KOOPHONE.API.1000""#,
            #""KOOPHONE.API.9999""#,
            #""KOOPHONE.API.2005""#,
            #""APIGW.0201""#,
            "\"\(texts.text(&dice).text)\""
        )
        return "code"
    }

    private func changeStructure(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        let deep = dice.pick(10, 500, 100_000)
        switch dice.int(0...9) {
        case 0:
            answer.extra += #","deep":"# + String(repeating: "[", count: deep) + String(repeating: "]", count: deep)
            return "nesting"
        case 1:
            answer.dataExtra +=
                #","deep":"# + String(repeating: #"{"a":"#, count: deep) + "1" + String(repeating: "}", count: deep)
            return "nesting"
        case 2:
            answer.extra +=
                ",\"n\":"
                + dice.pick("1e999999", "-" + String(repeating: "9", count: 5_000), "0.1e-400", "01", "1.", "+1")
            return "number"
        case 3:
            answer.extra += dice.pick(
                #","data":null"#,
                #","data":{}"#,
                #","error_code":"0""#,
                #","error_code":"KOOPHONE.API.1000""#
            )
            answer.isContradictory = true
            return "duplicate-name"
        case 4:
            answer.dataExtra += dice.pick(#","task_id":"other""#, #","cmd_jobs":[]"#, #","task_id":null"#)
            answer.isContradictory = true
            return "duplicate-name"
        case 5:
            answer.entryExtra += dice.pick(#","job_id":"other""#, #","instance_id":"other""#, #","job_id":null"#)
            answer.isContradictory = true
            return "duplicate-name"
        case 6:
            answer.jobs = dice.pick(
                "null",
                "{}",
                "[null,1,\"a\",[]]",
                "\"a\"",
                "[[]]",
                "[{}]",
                "[{\"instance_id\":1,\"job_id\":2}]"
            )
            return "jobs"
        case 7:
            (answer.prefix, answer.suffix) = dice.pick(
                ("\u{FEFF}", ""),
                ("", "x"),
                ("", "{}"),
                ("/* c */", ""),
                ("\n \t", " \r\n"),
                ("[", "]"),
                ("", "\u{0}"),
                (")]}',\n", "")
            )
            return "around"
        case 8:
            answer.extra += #","fill":""# + String(repeating: "f", count: dice.pick(100_000, 1 << 20, 3 << 20)) + "\""
            return "huge"
        default:
            answer.entryExtra += #","a":[1,{"instance_id":"x","job_id":"y"}]"#
            return "inner-members"
        }
    }

    private func changeTexts(_ answer: inout Acceptance, _ dice: inout Dice) -> String {
        let (kind, text) = texts.text(&dice)
        switch dice.int(0...5) {
        case 0: answer.task = "\"\(text)\""
        case 1 where !answer.entries.isEmpty: answer.entries[dice.int(0...answer.entries.count - 1)].job = text
        case 2 where !answer.entries.isEmpty: answer.entries[dice.int(0...answer.entries.count - 1)].instance = text
        case 3: answer.code = "\"\(text)\""
        case 4: answer.extra += ",\"\(text)\":\"\(text)\""
        default: answer.message = text
        }
        return kind
    }
}
