# make demo    the main job on the simulator, from nothing to results on the screen
# make test    every test
# make release the binary as it is shipped: .build/release/koobatch
# make lint    formatting and shell scripts
# make bench   figures: throughput, latency, idle cost
SWIFT_FLAGS := --explicit-target-dependency-import-check error
RELEASE_FLAGS := $(SWIFT_FLAGS) -c release --static-swift-stdlib

.PHONY: demo test release lint bench setup clean

demo: setup
	swift build $(SWIFT_FLAGS) --product koobatch
	swift build $(SWIFT_FLAGS) --product koophone-sim
	Tests/Demo/demo.sh "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"

test: setup
	swift build $(SWIFT_FLAGS) --build-tests
	swift test $(SWIFT_FLAGS) --skip-build --skip EndToEndTests
	@# By themselves: they wait for other programs, which would starve tests that keep time limits.
	swift test $(SWIFT_FLAGS) --skip-build --filter EndToEndTests
	@if command -v systemd-analyze >/dev/null; then Tests/Systemd/verify.sh; \
	else echo "systemd-analyze is missing: the unit is not verified"; fi

release: setup
	swift build $(RELEASE_FLAGS) --product koobatch

bench: setup
	swift build $(RELEASE_FLAGS) --product koobatch
	swift build $(RELEASE_FLAGS) --product koophone-sim
	swift build $(RELEASE_FLAGS) --product koobatch-bench
	"$$(swift build $(RELEASE_FLAGS) --show-bin-path)/koobatch-bench"

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests migrations
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run Tests/Demo/demo.sh Tests/Systemd/verify.sh Tests/setup.sh; \
	else echo "shellcheck is missing: the scripts are not checked"; fi

setup:
	@Tests/setup.sh

clean:
	rm -rf .build
