#!/bin/bash
# run.sh SECONDS [TARGET...]: builds the fuzzers with libFuzzer and AddressSanitizer and runs each for so long on one core.
# Only the code under test is instrumented; libraries come from the debug build, which must be there: swift build --build-tests
# What a fuzzer finds is kept in .build/fuzz/TARGET-*; Tests/Fuzz/Corpus is read, and not written.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("${@:-Answer}")
[ $# -gt 0 ] || targets=(Answer RetryAfter InstanceList Settings)

out=.build/fuzz
debug=.build/debug
mkdir -p "$out"
flags=(-swift-version 6 -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
  -enable-upcoming-feature MemberImportVisibility -O -gline-tables-only -wmo -parse-as-library "-sanitize=fuzzer,address" -I "$out")
libraries=(-I "$debug/Modules")
for map in "$debug"/*.build/module.modulemap \
  .build/checkouts/{Yams,swift-atomics,swift-system}/Sources/*/include/module.modulemap; do
  [ -e "$map" ] && libraries+=(-Xcc "-fmodule-map-file=$map")
done

core() {
  swiftc "${flags[@]}" -emit-module -emit-object -module-name KoobatchCore -emit-module-path "$out/KoobatchCore.swiftmodule" \
    Sources/KoobatchCore/*/*.swift -o "$out/KoobatchCore.o"
}

# The objects of the libraries, those of the program itself left out.
grep -vE '/(koobatch|Koobatch[A-Za-z]*)\.build/' "$debug/koobatch.product/Objects.LinkFileList" >"$out/objects"
grep -E '/ArgumentParser(ToolInfo)?\.build/' "$out/objects" >"$out/parser-objects"

cloud=Sources/KoobatchCloud
cli=Sources/koobatch
build() {
  case $1 in
  Answer)
    core
    swiftc "${flags[@]}" -module-name Fuzz Tests/Fuzz/AnswerFuzz.swift \
      $cloud/Answers/{Bytes,Envelope,JSONScanner,JSONScanner+RawString,PlainText,QueryReader,Redactor,SubmissionReader}.swift \
      "$out/KoobatchCore.o" -o "$out/Answer" ;;
  RetryAfter)
    core
    swiftc "${flags[@]}" -module-name Fuzz Tests/Fuzz/RetryAfterFuzz.swift $cloud/Answers/RetryAfter.swift \
      "$out/KoobatchCore.o" -o "$out/RetryAfter" ;;
  InstanceList)
    swiftc "${flags[@]}" "${libraries[@]}" -module-name Fuzz Tests/Fuzz/InstanceListFuzz.swift \
      $cli/Instances/{CSVField,CSVColumn,InstanceList,InstanceListParser}.swift $cli/Terminal/DisplayWidth.swift \
      "@$out/parser-objects" -o "$out/InstanceList" ;;
  Settings)
    core
    swiftc "${flags[@]}" "${libraries[@]}" -module-name Fuzz Tests/Fuzz/SettingsFuzz.swift \
      $cli/Settings/{SettingsFile,SettingsKey,SettingsProblems,SettingsReader,LinkedFile}.swift $cli/Commands/Options/DurationText.swift \
      "$out/KoobatchCore.o" "@$out/objects" -o "$out/Settings" ;;
  *) echo "there is no fuzzer $1" >&2; exit 64 ;;
  esac
}

# What a target reads is short: longer inputs only cost time.
longest() {
  case $1 in
  RetryAfter) echo 48 ;;
  *) echo 512 ;;
  esac
}

for target in "${targets[@]}"; do
  build "$target"
  mkdir -p "$out/$target.corpus"
  # Foundation leaks where it reads an empty file. Memory that was freed need not be kept for reports.
  ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8:malloc_context_size=0 nice -n 10 "$out/$target" \
    -max_total_time="$seconds" -max_len="$(longest "$target")" -timeout=10 -artifact_prefix="$out/$target-" \
    -print_final_stats=1 "$out/$target.corpus" "Tests/Fuzz/Corpus/$target"
done
