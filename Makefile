# ccr: replication between Apache Doris clusters. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The product is pure Go. One setting for all builds, so that the long ones
# (Temporal server, SQL engine) are compiled once and found in Go's build cache.
# Only the race detector needs a C compiler (scripts/test).
export CGO_ENABLED := 0
export GOFLAGS := -buildvcs=false

TAGS    := gms_pure_go
# The number stands in the file VERSION and nowhere else (docs/version_test.go).
VERSION := v$(shell cat VERSION):$(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
BINARIES := ./cmd/ccr ./standalone/cmd/ccr-standalone ./dorisim/cmd/dorisim

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## build bin/ccr, bin/ccr-standalone and bin/dorisim
	@scripts/say-first-build
	go build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ $(BINARIES)

.PHONY: demo
demo: build ## two simulated clusters, two jobs, live view, proof that both sides are equal (KEEP=1 leaves it running)
	@go build -tags $(TAGS) -o bin/demo ./e2e/cmd/demo
	@bin/demo $(if $(KEEP),--keep) $(DEMO_ARGS)

.PHONY: setup
setup: ## install from Debian what the tests need and the machine lacks (FOR=screenshots: what those need)
	@scripts/setup $(FOR)

.PHONY: check
check: ## before each commit: format, vet and unit tests of the product, in less than a minute
	@TAGS=$(TAGS) scripts/check

.PHONY: test
test: setup tools temporal-tools build ## everything CI runs: format, vet, staticcheck, workflowcheck, unit, race, end-to-end tests
	@TAGS=$(TAGS) scripts/test

.PHONY: test-unit
test-unit: ## unit tests only
	go test -tags $(TAGS) ./... ./dorisim/... ./standalone/...

.PHONY: test-e2e
test-e2e: build temporal-tools ## end-to-end tests only (RUN=regexp picks some)
	go test -tags $(TAGS) -count=1 -parallel 5 -timeout 20m $(if $(RUN),-run '$(RUN)') -v ./e2e/...

# The tests whose jobs' histories are kept: together they have every step.
RECORDED := TestDatabaseJob|TestEmptyDatabase|TestLostBinlogs|TestPartitionAddedWrittenDropped|TestPauseAndResume|TestTableCreatedAndDropped|TestTableJobWithAnotherNameTwoFullSyncs|TestUnknownBinlog|TestTablesIncluded|TestTablesRenamed|TestSkip|TestWebhook|TestLagIsLive|TestAStalledJobIsPatient|TestBadPayloadsByHand|TestPartialSyncOrderedAtTheDrop|TestAStateOfManyEntriesIsMeasured|TestADDLOfAJobWithManyTables|TestBadInputChangesNothing|TestDDLsShareAStep$$|TestTablesSelectedWhileAGapIsClosed|TestCredentialsAreRotated|TestHostsAndOptionsChange|TestTLSOfASide|TestRemediesHelp/a_snapshot_is_taken_again_by_itself

.PHONY: record-histories
record-histories: build ## keep the histories of this release for the replay test (RELEASE=0.4; docs/upgrade.md)
	@test -n "$(RELEASE)" || { echo "say which: make record-histories RELEASE=0.4" >&2; exit 1; }
	CCR_RECORD_HISTORIES=$(CURDIR)/workflows/testdata/histories/$(RELEASE) \
		go test -tags $(TAGS) -count=1 -timeout 20m -run '$(RECORDED)' ./e2e/
	CCR_RECORD_HISTORIES=$(CURDIR)/workflows/testdata/histories/$(RELEASE) \
		go test -tags $(TAGS) -count=1 -run TestVerificationOnARealServer ./standalone/
	go test -run Recorded ./workflows

.PHONY: console-pictures
console-pictures: build ## the pictures of the console in docs/images, taken by its tests
	CCR_CONSOLE_PICTURES=$(CURDIR)/docs/images go test -tags $(TAGS) -count=1 -timeout 5m -run '^TestConsole' ./e2e/

.PHONY: check-deploy
check-deploy: setup ## Compose file, Helm chart, alerts, systemd units; and the Dockerfile's build steps, run without Docker (minutes)
	cd deploy/check && GOWORK=off go test -count=1 .
	scripts/promtool check rules deploy/prometheus/rules.yml
	scripts/promtool test rules deploy/prometheus/rules_test.yml
	scripts/check-dockerfile ccr ccr

# Not part of make test: each scenario is a real job, which costs about 1.1 s of
# CPU, nearly all of it in the embedded Temporal; with 164 of them that is at least
# a minute and a half more for each version on two cores.
.PHONY: test-versions
test-versions: build ## the catalogue of scenarios with the simulator set to Doris 2.1 and 3.0
	@failed=; for version in 2.1 3.0; do echo "Doris $$version"; \
		CCR_E2E_DORIS_VERSION=$$version go test -tags $(TAGS) -count=1 -timeout 20m -run '^TestScenarios$$' ./e2e/ || failed=1; \
	done; test -z "$$failed"

.PHONY: chaos
chaos: build ## random programs while jobs follow and their process is killed (PROGRAMS=200, SEED=now; SEED=n PROGRAMS=1 replays one)
	CCR_CHAOS_PROGRAMS=$(or $(PROGRAMS),200) CCR_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) \
		go test -tags $(TAGS) -count=1 -timeout 6h -v -run '^TestChaos$$' ./e2e/

.PHONY: lint
lint: tools ## gofmt, go vet, staticcheck, workflowcheck
	@TAGS=$(TAGS) scripts/lint

.PHONY: bench
bench: build ## throughput and latency on the simulator, as ratios to a baseline of the same run, or to another syncer (BENCH_ARGS; docs/sizing.md)
	go run -tags $(TAGS) ./e2e/cmd/bench $(BENCH_ARGS)

.PHONY: bench-console
bench-console: build ## how soon a browser shows the console with 1,000 real jobs, and pauses all of them (JOBS=1000; ten minutes)
	go run -tags $(TAGS) ./e2e/cmd/manyjobs -standalone -console -jobs $(or $(JOBS),1000)

.PHONY: bench-all
bench-all: build ## every figure that docs/sizing.md says was to be reached, in half an hour (ONLY="ddl memory" runs some parts)
	@TAGS=$(TAGS) ONLY='$(ONLY)' scripts/bench-all

.PHONY: generate
generate: ## generated Thrift code (needs Debian's thrift-compiler)
	doris/idl/generate.sh

.PHONY: tools
tools: bin/staticcheck bin/workflowcheck

bin/staticcheck bin/workflowcheck &: tools/go.mod tools/go.sum
	@echo "building the linters (tools/go.mod)"
	GOWORK=off go build -modfile=tools/go.mod -o bin/ honnef.co/go/tools/cmd/staticcheck go.temporal.io/sdk/contrib/tools/workflowcheck
	@touch bin/staticcheck bin/workflowcheck

# What the end-to-end tests use of Temporal: its command-line tools, each with a
# modfile of its own because their requirements are years apart, and its server,
# compiled from the packages that standalone/ uses anyway. The tools' first build
# takes about 5 minutes on two cores.
.PHONY: temporal-tools
temporal-tools: bin/tctl bin/temporal bin/temporal-server bin/temporal-sql-tool

bin/tctl: tools/tctl.mod tools/tctl.sum
	@echo "building tctl (tools/tctl.mod)"
	GOWORK=off go build -modfile=tools/tctl.mod -ldflags '-s -w' -o $@ github.com/temporalio/tctl/cmd/tctl
	@touch $@

bin/temporal: tools/temporal.mod tools/temporal.sum
	@echo "building temporal (tools/temporal.mod)"
	GOWORK=off go build -modfile=tools/temporal.mod -ldflags '-s -w' -o $@ github.com/temporalio/cli/cmd/temporal
	@touch $@

bin/temporal-server: standalone/go.mod
	go build -tags $(TAGS) -ldflags '-s -w' -o $@ go.temporal.io/server/cmd/server
	@touch $@

bin/temporal-sql-tool: standalone/go.mod
	go build -tags $(TAGS) -ldflags '-s -w' -o $@ go.temporal.io/server/cmd/tools/sql
	@touch $@

.PHONY: release
release: ## archives, chart and checksums of VERSION in build/release (RELEASE_ARGS=--images: images, too)
	@TAGS=$(TAGS) scripts/release $(RELEASE_ARGS)

.PHONY: clean
clean: ## remove what was built and the demo's data
	rm -rf bin build
