# What people do with this repository. Everything here does its own set-up:
# a machine with Go and make is enough; what tests need beyond that, test/setup
# installs or says that it is missing.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
CACHE   := $(CURDIR)/.cache
BIN     := bin/zaqar
LINTER  := $(CACHE)/bin/golangci-lint
# Seconds for each fuzz target.
FUZZTIME ?= 3
# In CI, a test that cannot run fails instead of being skipped.
ifeq ($(CI),true)
export ZAQAR_TEST_REQUIRE := 1
endif
# Tests that start the program start this one.
export ZAQAR_BINARY := $(CURDIR)/$(BIN)

.PHONY: help
help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## build bin/zaqar: one static binary
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/zaqar

.PHONY: run
run: build ## run a server on 127.0.0.1:8888 with its data in ./zaqar-data
	$(BIN) server --data-dir zaqar-data

.PHONY: test
test: setup build lint fuzz ## everything that has to hold: vet, linter, fuzzing, all tests with the race detector
	@echo '--- tests'
	@. $(CACHE)/test-env && go test $$RACE -timeout 10m ./... && cd tools/plot && go test ./...
	@. $(CACHE)/test-env && if [ -n "$$RACE" ]; then $(MAKE) --no-print-directory memory; fi

# The race detector takes memory of its own, so that under it these say nothing.
.PHONY: memory
memory: build ## the tests that bound allocations and memory, which the race detector leaves out
	@echo '--- allocations and memory'
	go test -run 'TestAllocations|TestMemoryOfWaiters|TestMemoryOfQueues' ./api/rest ./test/scale

.PHONY: unit
unit: ## the tests beside the code, without set-up and race detector
	go test $$(go list ./... | grep -v /test/)

.PHONY: lint
lint: $(LINTER) ## go vet, gofmt and golangci-lint
	@echo '--- vet and linter'
	go vet ./...
	@badly=$$(go list -f '{{.Dir}}' ./... | xargs -I{} sh -c 'gofmt -l {}/*.go'); \
	if [ -n "$$badly" ]; then echo "not formatted by gofmt:"; echo "$$badly"; exit 1; fi
	$(LINTER) run

# Built from source through the Go module proxy, in the version of
# tools/go.mod.
$(LINTER): tools/go.mod tools/go.sum
	@echo '--- building the linter (once)'
	cd tools && CGO_ENABLED=0 GOBIN=$(CACHE)/bin go install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

.PHONY: fuzz
fuzz: ## fuzz every parser of foreign input for FUZZTIME seconds each
	@echo '--- fuzzing'
	@tools/fuzz $(FUZZTIME)

.PHONY: setup
setup: ## install what the tests need, or say what is missing
	@echo '--- set-up'
	@test/setup $(CACHE)

.PHONY: docs
docs: ## regenerate docs/configuration.md and the table of metrics in docs/observability.md
	go test ./config -run TestReference -update
	go test ./app -run TestEveryMetricIsDocumented -update

.PHONY: clean
clean: ## remove what was built and cached
	rm -rf bin .cache
