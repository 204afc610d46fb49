# sonofuse: two commands for a newcomer, `make demo` and `make test`.
SECONDS ?=
CARGO ?= cargo
BIN = target/release/sonofuse

.PHONY: demo test test-systemd lint build bench deps-run deps-test install clean

## demo: install what is missing, build, and print live scores from the simulator (SECONDS=20 ends by itself)
demo: build
	$(BIN) run --preset simulator $(if $(SECONDS),--seconds $(SECONDS))

## test: install what is missing and run the whole test suite
test: deps-test
	scripts/test.sh

## test-systemd: boot a real systemd in a container and try the service there (root, about 2 minutes)
test-systemd: build
	tests/systemd/nspawn.sh $(BIN)

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

deps-run:
	@scripts/deps.sh run
deps-test:
	@scripts/deps.sh test

clean:
	$(CARGO) clean
