# Everything that a target needs it sees to itself: PostgreSQL and the rest come
# from Debian's packages (scripts/need-*.sh), Go modules from go.mod.

SHELL := /bin/bash

FUZZTIME ?= 30s
# More arguments for go test, such as -run TestRoute or -v.
TESTFLAGS ?=
# More arguments for the demo and for the benchmark.
ARGS ?=
# What the benchmark measures (a regular expression; "list" names all), and the profile of
# pgchorus that it writes beside (cpu, heap, allocs, goroutine, mutex, block, trace).
SCENARIO ?=
PROFILE ?=
# What sqlsmith makes up.
SEED ?= 1
QUERIES ?= 3000
# How long made up statements and transactions are played.
SECONDS ?= 300
# For a whole package; it only ends what hangs.
TESTTIMEOUT ?= 20m

TOOL := go tool -modfile=tools/go.mod

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: need-compiler ## build bin/pgchorus and what else is in cmd/
	go build -o bin/ ./cmd/...

.PHONY: demo
demo: need-postgresql build ## real PostgreSQL nodes behind pgchorus, with a workload; ARGS=--once to exit
	bin/pgchorus demo $(ARGS)

.PHONY: test
test: need ## everything, with real PostgreSQL and real drivers
	go test -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./...

.PHONY: test-short
test-short: need-compiler ## what needs no server
	go test -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./...

.PHONY: race
race: need-compiler ## with the race detector: what needs neither server nor pg_query
	go test -race -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) $$(scripts/race-packages.sh)

.PHONY: fuzz
fuzz: need ## each fuzz target for FUZZTIME
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: golden
golden: need ## rewrite golden files; look at git diff afterwards
	@packages=$$(scripts/golden-packages.sh); \
	if [ -n "$$packages" ]; then go test -count=1 $$packages -update; fi

.PHONY: bench
bench: need-postgresql need-bench need-memcached need-compiler ## against PostgreSQL, PgBouncer, Pgpool-II; SCENARIO=regexp, PROFILE=cpu
	go run ./bench $(if $(value SCENARIO),-scenario '$(value SCENARIO)') $(if $(PROFILE),-profile $(PROFILE)) $(ARGS)

.PHONY: compare
compare: need-compiler need-postgresql need-bench ## where statements run, with Pgpool-II and with pgchorus
	go test -tags compare -count=1 -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./test/compare

.PHONY: regress
regress: need-compiler need-postgresql ## PostgreSQL's own test suites, directly and through pgchorus; TESTS="boolean char" for some
	export PGCHORUS_REGRESS=$$(scripts/need-regress.sh) TESTS="$(TESTS)"; [ -n "$$PGCHORUS_REGRESS" ] && \
	go test -tags regress -count=1 -v -timeout 2h $(TESTFLAGS) ./test/regress

.PHONY: sqlsmith
sqlsmith: need-compiler need-postgresql need-sqlsmith ## statements that sqlsmith makes up, for SECONDS, QUERIES from each SEED
	SEED=$(SEED) QUERIES=$(QUERIES) SECONDS=$(SECONDS) go test -tags sqlsmith -count=1 -v -timeout 2h $(TESTFLAGS) ./test/regress

.PHONY: random
random: need-compiler need-postgresql ## transactions that are made up, for SECONDS, from SEED
	SEED=$(SEED) SECONDS=$(SECONDS) go test -count=1 -v -timeout 24h $(TESTFLAGS) ./test/random

.PHONY: stale
stale: need-compiler need-postgresql need-memcached ## is any answer of the query cache stale? for SECONDS, from SEED
	SEED=$(SEED) SECONDS=$(SECONDS) go test -count=1 -v -timeout 24h $(TESTFLAGS) ./test/stale

.PHONY: kills
kills: need-compiler need-postgresql ## kill -9 of everybody at every boundary of COMMIT, in each commit_mode
	KILLS=all go test -count=1 -v -timeout 1h $(TESTFLAGS) ./test/scenario -run TestKilledAtEveryBoundaryOfCommit

.PHONY: bench-micro
bench-micro: need-compiler ## micro-benchmarks, in benchstat's format
	go test -short -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

.PHONY: format
format: ## is everything formatted?
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet: need-compiler ## go vet
	go vet ./...

.PHONY: lint
lint: need-compiler ## staticcheck, and the import rules of .depguard.yaml
	$(TOOL) staticcheck ./...
	$(TOOL) depguard -test=false ./...

.PHONY: verify
verify: ## what CI runs, in CI's order
	bash .ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .cache

.PHONY: need need-compiler need-postgresql need-drivers need-memcached need-bench need-sqlsmith
need: need-compiler need-postgresql need-drivers need-memcached ## install what the tests need, where it is missing
need-compiler need-postgresql need-drivers need-memcached need-bench need-sqlsmith:
	@scripts/$@.sh
