# Everything that is done with this tree is done from here; `make` lists it.
# Recipes are short: what needs more than two lines is a script in .ci/.

SHELL := /bin/bash
GO ?= go
BENCHTIME ?= 1s
FUZZTIME ?= 20s
LINT_VERSION := 2.8.0

# FEATURES="sources_conntrack columns" builds a weir with these extensions alone (`ls features`).
FEATURES ?=
TAGS = $(if $(strip $(FEATURES)),$(shell .ci/features.sh $(FEATURES)))
# The version comes from the tags of git, where there is a git that can tell.
VCS = $(shell git status >/dev/null 2>&1 && echo true || echo false)
BUILD = $(GO) build -trimpath -buildvcs=$(VCS) -tags '$(TAGS)'

.DEFAULT_GOAL := help
.PHONY: help run build test test-386 test-long lint bench fuzz generate generate-check features cross clean

help: ## list what can be made
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build weir and run the daemon here; ask it with ./weir query in a second terminal
	@.ci/start.sh run $(ARGS)

build: ## build ./weir; FEATURES="sources_conntrack columns" links these extensions alone
	@.ci/features.sh $(FEATURES) >/dev/null
	CGO_ENABLED=0 $(BUILD) -o weir .

test: ## run all tests with the race detector; as root that includes those on real networks
	@.ci/test-deps.sh
	@cd tools && ../.ci/test.sh ./...
	@.ci/test.sh ./...

test-386: ## run the unit tests as a 32-bit program
	GOARCH=386 CGO_ENABLED=0 $(GO) test -trimpath $$($(GO) list ./... | grep -v '^weir/test')

test-long: ## run what takes long: kill loops, a simulated day, ten minutes of fuzzing (an hour in all)
	@.ci/test-deps.sh
	WEIR_TEST_LONG=1 .ci/test.sh -timeout 60m ./...
	@FUZZTIME=60s .ci/fuzz.sh

lint: ## check the code with golangci-lint, which is installed into .bin/ if it is missing
	@.ci/lint.sh $(LINT_VERSION)

bench: ## run the benchmarks; BENCHTIME=5s, BENCH=regexp
	$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -p 1 -benchtime $(BENCHTIME) ./...

fuzz: ## run each fuzz test for FUZZTIME=20s
	@FUZZTIME=$(FUZZTIME) .ci/fuzz.sh

generate: ## make the Go files of the protobuf schemas and the lists in docs/ anew
	cd tools && $(GO) run ./protogen ../messages/weirpb
	$(GO) test ./docs -update

generate-check: ## fail if the generated files are not those of the schemas
	cd tools && $(GO) run ./protogen -check ../messages/weirpb

features: ## build with each extension alone, and with none
	@.ci/features.sh --build

cross: ## build for each platform into dist/ and print the sizes
	@.ci/cross.sh $(TAGS)

clean: ## remove what was built here
	rm -rf weir dist .bin
