# sonofuse: two commands for a newcomer, `make demo` and `make test`.
SECONDS ?=
CARGO ?= cargo
BIN = target/release/sonofuse
ARCH = $(shell uname -m)
RELEASE_FOR ?= x86_64 aarch64

.PHONY: help demo test build-arm64 test-arm64 test-systemd test-trt-rtx test-controls soak fuzz deny deb test-deb release lint build bench bench-peers install deps-run deps-test clean

## demo: install what is missing, build, print live scores from the simulator and the address of the page (SECONDS=20 ends by itself)
# Seed 5: its first patient is scored within seconds, of most others some maps are unstable or unlike the training set.
demo: build
	$(BIN) run --preset simulator --param seed=5 --web 127.0.0.1:8417 $(if $(SECONDS),--seconds $(SECONDS))

## test: install what is missing and run the whole test suite
test: deps-test
	scripts/test.sh

## test-systemd: boot a real systemd in a container and try the service there (root, about 2 minutes)
test-systemd: build
	tests/systemd/nspawn.sh $(BIN)

## test-controls: take out each control of docs/design/risk.md and see its test fail (builds into a folder of its own: half an hour the first time)
test-controls: deps-test
	scripts/test-controls.py

## soak: kill the daemon at 200 random moments, its audit must be whole each time; 100 kills while clips are written, none may be left half written (about 10 minutes)
soak: deps-test
	SONOFUSE_KILLS=200 $(CARGO) test --workspace --locked --test audit kills_at_any_moment
	SONOFUSE_KILLS=100 $(CARGO) test --workspace --locked --test evidence -- --nocapture a_kill_at_any_moment

## fuzz: the fuzz targets for 60 seconds each (nightly toolchain; skipped with a word where there is none)
fuzz: deps-run
	scripts/fuzz.sh

## deny: bans, licences and sources by cargo-deny (installs it where it is missing)
deny:
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check bans licenses sources

## deb: the Debian package of the built daemon, in target/deb (as yourself; for arm64 after build-arm64: ARCH=aarch64 BIN=…)
deb:
	@test -x $(BIN) || { echo "$(BIN) is not there: run 'make build' first" >&2; exit 1; }
	scripts/deb.sh $(BIN) target/deb $(ARCH)

## test-deb: install, start, upgrade, remove and purge the package in an empty Debian with a real systemd (root, about 4 minutes)
test-deb: build deb
	@command -v systemd-nspawn >/dev/null && command -v mmdebstrap >/dev/null || apt-get install -q -y --no-install-recommends systemd-container mmdebstrap
	tests/systemd/package.sh target/deb/sonofuse_*_amd64.deb

## release: packages, their lists of crates (CycloneDX) and SHA256SUMS in target/handed-out, built twice and compared (RELEASE_FOR="x86_64" leaves arm64 out; an hour and more)
release: deps-run
	@case " $(RELEASE_FOR) " in *" aarch64 "*) scripts/deps.sh arm64;; esac
	scripts/release.sh $(RELEASE_FOR)

## lint: formatting and clippy, warnings are errors
lint: deps-test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

## build: the release binary
build: deps-run
	$(CARGO) build --release --locked

## bench: the benchmarks of layout, preprocessing and the frame path
bench: build
	$(CARGO) bench -p sonofuse-core
	$(BIN) bench --preset simulator --frames 300

## bench-peers: our CPU engine against onnxruntime, ncnn, OpenVINO and rten in one run (installs the wheels into a temporary folder)
bench-peers:
	scripts/bench-peers.sh

## build-arm64: the Jetson's binary, cross-built, its symbols held against JetPack 6
build-arm64:
	@scripts/deps.sh arm64
	scripts/arm64.sh build

## test-arm64: the Jetson's binary and the crates' tests under qemu-user (about 20 minutes)
test-arm64: build build-arm64
	scripts/arm64.sh test

## test-trt-rtx: build the models with TensorRT-RTX's own parser and builder (from PyPI, no GPU needed)
test-trt-rtx:
	scripts/test-trt-rtx.sh

## install: put the built daemon, its presets, models, units and documents in place (root; DESTDIR for a package)
install:
	@test -x $(BIN) || { echo "$(BIN) is not there: run 'make build' first, as yourself" >&2; exit 1; }
	install -Dm755 $(BIN) $(DESTDIR)/usr/bin/sonofuse
	install -Dm644 -t $(DESTDIR)/usr/share/sonofuse/pipelines pipelines/*.toml
	cd engines && find . -type f -exec install -Dm644 {} $(DESTDIR)/usr/share/sonofuse/engines/{} \;
	install -Dm644 -t $(DESTDIR)/usr/lib/systemd/system systemd/*.service systemd/*.socket
	case $(ARCH) in aarch64) for unit in sonofuse sonofuse-engine; do install -Dm644 systemd/jetson.conf $(DESTDIR)/usr/lib/systemd/system/$$unit.service.d/jetson.conf; done;; esac
	install -Dm644 systemd/sonofuse.sysusers $(DESTDIR)/usr/lib/sysusers.d/sonofuse.conf
	install -Dm644 systemd/sonofuse.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/sonofuse.conf
	install -Dm644 systemd/sonofuse.catalog $(DESTDIR)/usr/lib/systemd/catalog/sonofuse.catalog
	install -Dm644 -t $(DESTDIR)/usr/share/man/man1 docs/man/*.1
	install -Dm644 -t $(DESTDIR)/usr/share/man/man5 docs/man/*.5
	install -Dm644 docs/completions/sonofuse.bash $(DESTDIR)/usr/share/bash-completion/completions/sonofuse
	install -Dm644 docs/completions/_sonofuse $(DESTDIR)/usr/share/zsh/vendor-completions/_sonofuse
	install -Dm644 docs/completions/sonofuse.fish $(DESTDIR)/usr/share/fish/vendor_completions.d/sonofuse.fish
	install -Dm644 -t $(DESTDIR)/usr/lib/udev/rules.d systemd/*.rules
	for part in guide reference; do install -Dm644 -t $(DESTDIR)/usr/share/doc/sonofuse/$$part docs/$$part/*.md; done
	install -Dm644 -t $(DESTDIR)/usr/share/doc/sonofuse/prometheus packaging/prometheus/*
	install -Dm644 -t $(DESTDIR)/usr/share/doc/sonofuse README.md CHANGELOG.md SECURITY.md docs/glossary.md
	# Installed, it waits for its set-up: no preset.
	test -e $(DESTDIR)/etc/sonofuse/sonofuse.toml || { install -Dm644 sonofuse.toml $(DESTDIR)/etc/sonofuse/sonofuse.toml && \
		sed -i 's/^preset = "simulator"$$/preset = "none"/' $(DESTDIR)/etc/sonofuse/sonofuse.toml; }

deps-run:
	@scripts/deps.sh run
deps-test:
	@scripts/deps.sh test

## help: these lines
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

clean:
	$(CARGO) clean
