# make demo    the main job on the simulator, from nothing to results on the screen
# make test    every test
# make release the binary as it is shipped: .build/release/koobatch
# make install what make release built: DESTDIR=, PREFIX=/usr, SYSCONFDIR=/etc
# make deb     the Debian package: .build/koobatch_VERSION_ARCHITECTURE.deb
# make check   what make deb built: libraries, contents, manual
# make systemd the package under a real systemd; needs root, systemd-container and debootstrap
# make lint    formatting and shell scripts
# make fuzz    fuzzers of what reads other people's bytes, after a debug build: SECONDS=60 each
# make soak    jobs, faults, people, clocks and kills for MINUTES=60; KOOBATCH_SOAK_SEED repeats its choices
# make tsan    the tests of the modules under ThreadSanitizer
# make bench   every figure of the release build, beside its peers; BENCH='--quick latency idle' for less
SWIFT_FLAGS := --explicit-target-dependency-import-check error
RELEASE_FLAGS := $(SWIFT_FLAGS) -c release --static-swift-stdlib

BINARY := .build/release/koobatch
VERSION := $(shell sed -n 's/.*current = "\(.*\)"/\1/p' Sources/koobatch/Version.swift)
ARCHITECTURE = $(shell dpkg --print-architecture)
PACKAGE = .build/koobatch_$(VERSION)_$(ARCHITECTURE).deb
SIMULATOR = $(firstword $(wildcard .build/release/koophone-sim .build/debug/koophone-sim))
SCRIPTS := .ci/run Tests/setup.sh Tests/Demo/*.sh Tests/Fuzz/*.sh Tests/Peers/*.sh Tests/Release/*.sh Tests/Systemd/*.sh \
	etc/debian/build.sh etc/debian/postinst etc/debian/prerm etc/debian/postrm

PREFIX := /usr
SYSCONFDIR := /etc
UNITS := $(PREFIX)/lib/systemd/system
DOC := $(PREFIX)/share/doc/koobatch
BASH_COMPLETIONS := $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS := $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS := $(PREFIX)/share/fish/vendor_completions.d

.PHONY: demo test release install deb check systemd lint bench fuzz soak tsan setup clean

demo: setup
	swift build $(SWIFT_FLAGS) --product koobatch
	swift build $(SWIFT_FLAGS) --product koophone-sim
	Tests/Demo/demo.sh "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"

test: setup
	swift build $(SWIFT_FLAGS) --build-tests
	swift test $(SWIFT_FLAGS) --skip-build --skip EndToEndTests --skip WriteLockPacerTests
	@# By itself: it compares how often shells are locked out.
	swift test $(SWIFT_FLAGS) --skip-build --filter WriteLockPacerTests
	@# By themselves: they wait for other programs, which would starve tests that keep time limits.
	swift test $(SWIFT_FLAGS) --skip-build --filter EndToEndTests
	@if command -v systemd-analyze >/dev/null; then Tests/Systemd/verify.sh; \
	else echo "systemd-analyze is missing: the unit is not verified"; fi

release: setup
	swift build $(RELEASE_FLAGS) --product koobatch

install:
	@test -x $(BINARY) || { echo "$(BINARY) is missing: make release first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(DOC)/examples
	strip --strip-all -o $(DESTDIR)$(PREFIX)/bin/koobatch $(BINARY)
	chmod 755 $(DESTDIR)$(PREFIX)/bin/koobatch
	test -e $(DESTDIR)$(SYSCONFDIR)/koobatch/koobatch.yaml || \
	  install -D -m 644 etc/koobatch.yaml $(DESTDIR)$(SYSCONFDIR)/koobatch/koobatch.yaml
	install -D -m 644 systemd/koobatch.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/koobatch.conf
	install -D -m 644 systemd/koobatch.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/koobatch.conf
	install -d $(DESTDIR)$(UNITS)
	for unit in koobatch.service koobatch@.service; do \
	  sed 's|/usr/bin/koobatch|$(PREFIX)/bin/koobatch|' systemd/$$unit >$(DESTDIR)$(UNITS)/$$unit && \
	  chmod 644 $(DESTDIR)$(UNITS)/$$unit || exit 1; done
	for page in $(notdir $(wildcard etc/man/*)); do \
	  file=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page.gz && install -D -m 644 /dev/null $$file && \
	  sed 's|@VERSION@|$(VERSION)|' etc/man/$$page | gzip -9n >$$file || exit 1; done
	install -m 644 etc/koobatch.yaml systemd/examples/* $(DESTDIR)$(DOC)/examples
	for shell in bash:$(BASH_COMPLETIONS)/koobatch zsh:$(ZSH_COMPLETIONS)/_koobatch \
	    fish:$(FISH_COMPLETIONS)/koobatch.fish; do \
	  install -D -m 644 /dev/null $(DESTDIR)$${shell#*:} && \
	  $(BINARY) --generate-completion-script $${shell%%:*} | sed '1{/^#!/d}' >$(DESTDIR)$${shell#*:} || exit 1; done

deb: release
	etc/debian/build.sh $(BINARY) $(PACKAGE)

check:
	Tests/Release/check.sh $(BINARY) $(PACKAGE)

systemd:
	Tests/Systemd/service.sh $(PACKAGE) $(SIMULATOR)

bench: setup
	swift build $(RELEASE_FLAGS) --product koobatch
	swift build $(RELEASE_FLAGS) --product koophone-sim
	swift build $(RELEASE_FLAGS) --product koobatch-bench
	Tests/Peers/setup.sh .build/peers
	"$$(swift build $(RELEASE_FLAGS) --show-bin-path)/koobatch-bench" --json .build/bench.json $(BENCH)

fuzz: setup
	swift build $(SWIFT_FLAGS) --product koobatch
	Tests/Fuzz/run.sh $(or $(SECONDS),60) $(FUZZ)

soak: setup
	swift build $(SWIFT_FLAGS) --build-tests
	KOOBATCH_SOAK_SECONDS=$$(($(or $(MINUTES),60) * 60)) swift test $(SWIFT_FLAGS) --skip-build --filter SoakTests

tsan: setup
	swift build $(SWIFT_FLAGS) --build-tests --sanitize=thread --scratch-path .build-tsan
	clang -shared -fPIC -O2 -Wall -Werror -o .build-tsan/mutex_handover.so Tests/Sanitizer/mutex_handover.c
	@# Slowed down tenfold, all tests at once would run into their time limits.
	LD_PRELOAD=$(CURDIR)/.build-tsan/mutex_handover.so SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8 \
	  $$(swift build $(SWIFT_FLAGS) --sanitize=thread --scratch-path .build-tsan --show-bin-path)/koobatchPackageTests.xctest \
	  --testing-library swift-testing --skip EndToEndTests --skip WriteLockPacerTests

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests migrations
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); \
	else echo "shellcheck is missing: the scripts are not checked"; fi

setup:
	@Tests/setup.sh

clean:
	rm -rf .build
