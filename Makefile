# The targets are thin: the work is in scripts/, where it can be read and run by hand.

# rustup installs here, and not every shell has it on its PATH.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test release-test bench fuzz simulate torture soak fmt lint doctor clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install what is missing, then run examples in Docker and gVisor and keep serving (DEMO_EXIT=1: stop after the table)
	@scripts/setup.sh demo
	cargo build --release -p lambda-http
	@DEMO_EXIT=$(DEMO_EXIT) scripts/demo.sh

test: ## Install what the tests need, then run all of them
	@scripts/setup.sh test
	@scripts/test.sh

release-test: ## Build the wheel and the npm tarball for a release, and test them in empty environments
	@scripts/setup.sh test
	@scripts/test-release.sh

bench: ## Install what is missing, then measure (docs/BENCHMARKS.md says what)
	@scripts/setup.sh demo
	scripts/bench.sh

fuzz: ## Fuzz what reads bytes from strangers (FUZZ_SECONDS per target; needs nightly and cargo-fuzz)
	scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

simulate: ## Simulate pool, executor and journal under faults: RUNS= from FROM= on, under SEED= (TRACE=1: tell all that happens)
	cargo run --release -p lambda-simulation -- --runs $(or $(RUNS),10000) --from $(or $(FROM),0) --seed $(or $(SEED),1) $(if $(TRACE),--trace)

torture: ## Kill the platform, its database and a Docker daemon of its own under load (scripts/torture.sh says how often)
	@scripts/setup.sh test
	scripts/torture.sh

soak: ## Run a mixed load at 70 % of the peak for an hour and look for drift (SOAK_SECONDS, SOAK_RATE_MAX)
	@scripts/setup.sh demo
	scripts/soak.sh

fmt: ## Format the Rust code
	cargo fmt --all

lint: ## Check formatting, clippy and the documentation, warnings being errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

doctor: ## Say what this machine lacks to run functions, and how to mend it
	cargo build --release -p lambda-http
	scripts/with-docker.sh target/release/lambda doctor

clean: ## Remove what was built here, and the demo's data
	cargo clean
	rm -rf .lambda
