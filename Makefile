# The one entrance to every task: `make help` lists them.
#
# Everything is built in one profile, one target directory and one selection
# of packages (the whole workspace), because RocksDB takes a quarter of an hour
# to compile and a difference in any of the three compiles it again. For the
# same reason nothing here sets RUSTFLAGS, CXX or LIBCLANG_PATH.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(cache)/kith/target

PREFIX ?= $(HOME)/.local
cargo := cargo
kith := $(CARGO_TARGET_DIR)/debug/kith
timed := scripts/timed

.PHONY: help
help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: prepare
prepare: ## Check for cargo, a C++ compiler and libclang; install libclang where allowed
	@scripts/prepare.sh

.PHONY: build
build: prepare ## Build the kith command
	@scripts/take-target
	@$(cargo) build --locked --workspace --bins
	@printf 'kith is at %s\n' '$(kith)'

.PHONY: demo
demo: build ## Three nodes on this machine play a story, then a prompt to play with
	@'$(kith)' demo

.PHONY: test
test: build ## Run every test: units, properties, and real daemons end to end
	@$(timed) tests $(cargo) test --locked --workspace --no-fail-fast

.PHONY: soak
soak: build ## Kill a daemon fifty times in the middle of its work
	@KITH_KILLS=$${KITH_KILLS:-50} $(timed) soak $(cargo) test --locked --workspace --test kill

.PHONY: fmt
fmt: prepare ## Format the sources
	@$(cargo) fmt --all

.PHONY: check
check: prepare ## What CI runs: format, lints, docs, tests; every warning is an error
	@scripts/prepare.sh components
	@$(timed) format $(cargo) fmt --all -- --check
	@$(timed) build $(MAKE) --no-print-directory build
	@$(timed) clippy $(cargo) clippy --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(timed) docs $(cargo) doc --locked --workspace --no-deps
	@$(MAKE) --no-print-directory test

.PHONY: bench
bench: build ## Measure the figures of docs/benchmarks.md on this machine
	@$(cargo) bench --locked --profile dev --workspace --bench figures

.PHONY: man
man: build ## Write the man page and shell completions
	@mkdir -p '$(CARGO_TARGET_DIR)/man' '$(CARGO_TARGET_DIR)/completions'
	@'$(kith)' man > '$(CARGO_TARGET_DIR)/man/kith.1'
	@for shell in bash zsh fish; do \
	    '$(kith)' completions $$shell > "$(CARGO_TARGET_DIR)/completions/kith.$$shell" || exit 1; \
	done
	@printf 'see %s and %s\n' '$(CARGO_TARGET_DIR)/man' '$(CARGO_TARGET_DIR)/completions'

.PHONY: install
install: man ## Install kith, its man page, completions and user service under PREFIX (~/.local)
	@install -D -m 755 '$(kith)' '$(DESTDIR)$(PREFIX)/bin/kith'
	@install -D -m 644 '$(CARGO_TARGET_DIR)/man/kith.1' '$(DESTDIR)$(PREFIX)/share/man/man1/kith.1'
	@install -D -m 644 '$(CARGO_TARGET_DIR)/completions/kith.bash' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kith'
	@install -D -m 644 '$(CARGO_TARGET_DIR)/completions/kith.zsh' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kith'
	@install -D -m 644 '$(CARGO_TARGET_DIR)/completions/kith.fish' '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/kith.fish'
	@install -D -m 644 dist/kith.service '$(DESTDIR)$(PREFIX)/share/systemd/user/kith.service'
	@printf 'installed %s\n' '$(DESTDIR)$(PREFIX)/bin/kith'
