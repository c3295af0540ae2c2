# demo and test install what they need (Debian or Ubuntu with cargo); everything else is cargo.
.DEFAULT_GOAL := help
.PHONY: help demo test format lint doc unit doctest fuzz fuzz-long bench bench-quick lab build tools tools-bench tools-demo nextest cargo-fuzz install install-service

SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
# Debian packages: a C compiler for zstd and SQLite, clang for the eBPF program; qemu and the contents of its initramfs for other kernels; the peers
# that benchmarks and tests measure against.
PACKAGES_BUILD := gcc libc6-dev clang libbpf-dev
PACKAGES_TEST := $(PACKAGES_BUILD) g++ qemu-system-x86 busybox-static cpio ripgrep bzip2 xz-utils zstd
# Peers of the long benchmarks only: bpftrace brings LLVM along.
PACKAGES_BENCH := $(PACKAGES_TEST) bpftrace
# Inputs for each fuzz target of `make fuzz`, and seconds at most.
FUZZ_SECONDS ?= 30
FUZZ_RUNS ?= 3000

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

demo: tools-demo ## provoke a real OOM kill and explain it (elsewhere: explain a bundled real log)
	cargo build --release --quiet -p whodunit -p whodunit-lab
	./target/release/lab demo --explain-with ./target/release/whodunit

test: tools nextest format lint doc unit doctest fuzz bench-quick ## everything that must hold before a change goes in
	@echo "make test: all passed"

format:
	cargo fmt --all -- --check

lint:
	cargo clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --quiet

# The lab tests ask the program that is built beside them. The property tests' inputs are the same each time: what a new seed
# finds belongs to `make fuzz-long`, not to somebody's unrelated change.
unit:
	cargo build --workspace
	PROPTEST_RNG_SEED=1 cargo nextest run --workspace --no-fail-fast

doctest:
	cargo test --workspace --doc --quiet

build: tools-demo ## the program, optimised: target/release/whodunit
	cargo build --release

install: tools-demo ## the program, into cargo's bin folder
	cargo install --path crates/whodunit --locked

install-service: build ## as root: the agent as a systemd service of this machine, started
	$(SUDO) install -m 755 target/release/whodunit /usr/local/bin/whodunit
	$(SUDO) install -m 644 packaging/systemd/whodunit.service /etc/systemd/system/whodunit.service
	$(SUDO) systemctl daemon-reload
	$(SUDO) systemctl enable --now whodunit.service

bench: tools-bench ## the benchmarks, each a ratio or a count in one run (about fifteen minutes, 3 GiB of disk)
	cargo build --release -p whodunit -p whodunit-benches
	./target/release/whodunit-benches all

bench-quick:
	cargo build --release -p whodunit -p whodunit-benches
	./target/release/whodunit-benches all --quick

# One libFuzzer run a target, on what the tests use and on what once broke something; new finds stay in fuzz/target.
FUZZ_TARGETS := scan explain forms sources cgroup_path record
FUZZ_RUN = target/$$(rustc --print host-tuple)/release/$$target
FUZZ_FLAGS := -dict=kernel.dict -max_len=32768 -timeout=20 -rss_limit_mb=2048 -artifact_prefix=target/ -print_final_stats=1

# One seed, too; what libFuzzer makes of it follows the paths taken, which differ with the processor.
fuzz: ## every fuzz target for a few seconds (FUZZ_SECONDS)
	cd fuzz && cargo build --release --quiet
	cd fuzz && rm -rf target/short && for target in $(FUZZ_TARGETS); do \
	  echo "fuzz: $$target, $(FUZZ_SECONDS) s"; mkdir -p target/short/$$target; \
	  $(FUZZ_RUN) target/short/$$target corpus/$$target ../tests/fixtures $(FUZZ_FLAGS) -verbosity=0 \
	    -seed=1 -runs=$(FUZZ_RUNS) -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

fuzz-long: nextest ## every fuzz target for five minutes, on what earlier runs found, and the property tests on new inputs
	PROPTEST_CASES=20000 cargo nextest run -p oom-report -E 'test(properties::) | test(table_rows::)' --no-fail-fast
	cd fuzz && cargo build --release --quiet
	cd fuzz && for target in $(FUZZ_TARGETS); do mkdir -p target/corpus/$$target; \
	  $(FUZZ_RUN) target/corpus/$$target corpus/$$target ../tests/fixtures $(FUZZ_FLAGS) -max_total_time=300 || exit 1; \
	done

lab: tools ## record real kills again, on this machine and on every kernel of the lab, into target/kernels
	cargo run -p whodunit-lab -- fixtures target/kernels

tools-demo:
	@$(call install_packages,$(PACKAGES_BUILD))

tools-bench:
	@$(call install_packages,$(PACKAGES_BENCH))

tools:
	@$(call install_packages,$(PACKAGES_TEST))

nextest:
	@command -v cargo-nextest > /dev/null || cargo install cargo-nextest --locked

# $(1): names of Debian packages
define install_packages
if command -v dpkg-query > /dev/null; then \
  missing=""; \
  for package in $(1); do \
    dpkg-query -W -f '$${Status}' "$$package" 2> /dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
  done; \
  if [ -n "$$missing" ]; then \
    echo "installing:$$missing"; \
    $(SUDO) apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing > /dev/null; \
  fi; \
else \
  echo "not a Debian: needed are the equivalents of $(1)"; \
fi
endef
