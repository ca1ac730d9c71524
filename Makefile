# Two commands do everything: `make demo` and `make test`. Each sets the machine up first.

CARGO ?= $(shell command -v cargo || echo $(HOME)/.cargo/bin/cargo)
VNFLAB := target/release/vnflab

.PHONY: help demo test check sanitize bench fuzz setup build image install clean

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: build image ## boot the origin's ring of four and show that it converges
	@scripts/demo $(VNFLAB)

test: setup ## format, lints, unit tests, and tests with real VMs
	@scripts/test

check: ## format and lints alone
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

bench: build image ## time up, down, check and plan against their floors
	@$(CARGO) bench --quiet --package vnflab-cli --bench lab

fuzz: ## feed the readers of foreign bytes with nonsense, 20 seconds each
	@scripts/fuzz

bench-wire: ## measure the wire beside simple relays (a minute, no VMs)
	@$(CARGO) bench --quiet --package vnflab-wire --bench wire

sanitize: ## run the wire's tests under AddressSanitizer
	@scripts/sanitize

setup: ## install what is missing and start libvirt
	@scripts/setup

build: setup ## build the release binary
	@echo "==> building vnflab"
	@$(CARGO) build --release --package vnflab-cli --quiet

image: build ## build the frr image, unless the store has it
	@$(VNFLAB) image ls --json | grep -q '"name": *"frr"' || $(VNFLAB) image build frr

install: build ## install the binary, man pages and completions below $(PREFIX)
	@scripts/install $(VNFLAB) $(PREFIX)

clean: ## remove what was built; labs and images stay
	@$(CARGO) clean
