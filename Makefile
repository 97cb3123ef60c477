# Two commands do everything for a newcomer: make run, make test. `make help` lists the rest.

SHELL       := /bin/sh
.DEFAULT_GOAL := help
TOOL        := go tool -modfile=tools.mod
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOFILES      = $$(find . -name '*.go' -not -path './.git/*')

# On an interrupt some shells, such as Debian's, end without running their EXIT trap.
INTERRUPTED := trap 'exit 130' HUP INT TERM

# The command with which make test runs the tests.
GOTEST ?= go test

# After so long the tests of a package hang. A slow machine that does something else as well needs
# more than the ten minutes that go test allows.
HANGS := 1h

# The build tags of tests that need another program. .golangci.yml lists them, too.
TAGS := browser

# The time of each fuzz target in `make fuzz`, the benchmarks of `make bench`, and the
# numbers of kills of `make torture` and of runs of `make race`.
FUZZTIME ?= 1m
BENCH    ?= .
COUNT    ?= 1
KILLS    ?= 1000
RACES    ?= 2
REF      ?= main

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build the one static binary, bin/fever
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X fever/cli.version=$(VERSION)' -o bin/fever .

.PHONY: run
run: build ## build, collect from the real provider and serve http://localhost:8080/search
	bin/fever serve

.PHONY: test
test: ## run all tests that need nothing but Go
	$(GOTEST) -timeout $(HANGS) ./...

.PHONY: browser
browser: ## run the tests in a browser: of the status page, and of pages that read answers (chromium)
	$(GOTEST) -tags browser -count=1 -timeout $(HANGS) -run 'InBrowser$$' ./ops/page ./httpapi

.PHONY: screenshots
screenshots: ## take pictures of the status page in Chromium, into bin/screenshots
	FEVER_SCREENSHOTS=$(CURDIR)/bin/screenshots $(MAKE) browser

.PHONY: demo
demo: build ## watch a search change while a small provider plays three answers (no network)
	go run ./internal/demo -fever bin/fever -feeds testdata/feeds

# The load program is built twice: with fever's profile, if there is one, and without.
LOAD       = bin/load -fever bin/fever -plain bin/load-plain $(LOADFLAGS)
LOADFLAGS ?=
PROFILE    = $(or $(wildcard default.pgo),off)

.PHONY: load
load: build-load ## measure the binary against a bare net/http handler (minutes; LOADFLAGS="-only search/5000 -out FILE")
	$(LOAD)

.PHONY: load-short
load-short: build-load ## the same in about a minute, and less exact
	$(LOAD) -short

.PHONY: profile
profile: build-load ## take the profile that fever is built with, default.pgo, anew
	bin/load -fever bin/fever -only search/5000/ -profile default.pgo

.PHONY: overload
overload: build-load ## measure searches under overload and with slow clients (minutes; draws docs/overload.svg)
	$(LOAD) -overload -plot docs/overload.svg

.PHONY: overload-short
overload-short: build-load ## the same in about a minute, less exact and without the picture
	$(LOAD) -overload -short

.PHONY: load-shared
load-shared: build-load ## measure searches with a database beside those with a data file, and when it is away (needs PostgreSQL)
	$(LOAD) -shared

.PHONY: build-load
build-load: build
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -pgo=$(PROFILE) -o bin/load ./internal/load
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -pgo=off -o bin/load-plain ./internal/load

.PHONY: caches
caches: build ## search through nginx, Varnish, HAProxy and Squid, and check every answer: 40 seconds
	go run ./internal/caches -fever bin/fever -settings deploy/caches

.PHONY: torture
torture: build ## kill fever KILLS (1000) times while it collects, and check what it stored: some 10 minutes
	go run ./internal/torture -fever bin/fever -kills $(KILLS)

.PHONY: torture-short
torture-short: ## the same in half a minute
	$(MAKE) torture KILLS=60

# The scenarios that make replicas runs, with commas between; all without.
ONLY          ?=
REPLICASFLAGS ?=

.PHONY: replicas
replicas: build ## have three fever processes on one PostgreSQL survive every fault: some 15 minutes (ONLY=torture: 10 more; REPLICASFLAGS=-list)
	go run ./internal/replicas -fever bin/fever -only '$(ONLY)' $(REPLICASFLAGS)

.PHONY: faults
faults: build ## play every fault of a provider to the binary beside 5,000 searches a second, and print their p99: some 10 minutes
	$(GOTEST) ./internal/load -count=1 -v -timeout 45m -run '^TestFaultsBesideSearches$$' -faults -fever '$(CURDIR)/bin/fever'

SOAKFLAGS ?=

.PHONY: soak
soak: build ## run the binary for 5 minutes under every load and fault at once, and check that nothing grows (SOAKFLAGS="-time 1h -plot FILE")
	go run ./internal/soak -fever bin/fever $(SOAKFLAGS)

.PHONY: soak-short
soak-short: build ## the same in half a minute
	go run ./internal/soak -fever bin/fever -short $(SOAKFLAGS)

.PHONY: harvest-kills
harvest-kills: ## kill fever 50 times during the first 600 pages of a feed of changes: half a minute
	$(GOTEST) ./cli -count=1 -v -run '^TestHarvestKilled$$' -kills 50

# The jobs of a week, of feeds of 1 MB, and how long their documents are kept.
WEEKFLAGS ?= -jobs 10080 -events 3000 -keep 72h

.PHONY: week
week: ## play a week of a feed each minute, with the archive and without it, and replay it: half an hour (WEEKFLAGS="-jobs 60 -events 270000")
	$(GOTEST) ./replay -count=1 -v -timeout 24h -run '^TestWeek$$' $(WEEKFLAGS)

.PHONY: clients
clients: build ## ask fever and a mock with clients generated from the OpenAPI document, and lint the document (node and npm; 2 minutes)
	go run ./internal/clients -fever bin/fever

.PHONY: published
published: build ## have OpenActive's validators and ical.js read what fever publishes (node and npm)
	go run ./internal/published -fever bin/fever

.PHONY: check
check: format-check vet lint tidy-check race ## run all checks that a change must pass

.PHONY: format
format: ## format the code
	$(TOOL) gofumpt -w $(GOFILES)

.PHONY: format-check
format-check:
	@bad=$$($(TOOL) gofumpt -l $(GOFILES)) || exit 1; \
	if [ -n "$$bad" ]; then echo "not formatted (make format):"; echo "$$bad"; exit 1; fi

.PHONY: vet
vet:
	go vet -tags '$(TAGS)' ./...
	$(TOOL) staticcheck -tags '$(TAGS)' ./...

.PHONY: lint
lint: ## run golangci-lint
	$(TOOL) golangci-lint run

.PHONY: tidy-check
tidy-check:
	go mod tidy -diff
	go mod verify

# With -short, rapid checks each property a tenth as much as in make test: it would take half
# of the time, in one goroutine, where there is no race to find. A program with the detector
# sleeps for a second before it ends, unless GORACE says otherwise: so would each command of
# TestScript.
.PHONY: race
race: ## run all tests with the race detector, in any order, twice (a C compiler)
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=10 go test -race -short -shuffle=on -count=$(RACES) -timeout $(HANGS) ./...

.PHONY: deploy-check
deploy-check: ## check the alerts and the configuration of Prometheus, and run the alerts' tests (promtool)
	promtool check config --syntax-only deploy/prometheus/prometheus.yml
	promtool check rules deploy/prometheus/alerts.yml
	promtool test rules deploy/prometheus/alerts_test.yml

.PHONY: install-check
install-check: build ## build the container image and start it, and decode the manifests (buildah, haproxy, PostgreSQL, root; a minute)
	go run ./internal/deploy -fever bin/fever

# The second build has another folder and an empty cache, so everything is compiled again.
.PHONY: reproducible
reproducible: ## build HEAD twice, in two folders, and check that the binaries are equal
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(INTERRUPTED) && mkdir -p "$$tmp/one" "$$tmp/another/folder" "$$tmp/cache" && \
	for dir in one another/folder; do git archive HEAD | tar -x -C "$$tmp/$$dir" || exit 1; done && \
	$(MAKE) --no-print-directory -C "$$tmp/one" build VERSION='$(VERSION)' && \
	GOCACHE="$$tmp/cache" $(MAKE) --no-print-directory -C "$$tmp/another/folder" build VERSION='$(VERSION)' && \
	cmp "$$tmp/one/bin/fever" "$$tmp/another/folder/bin/fever" && sha256sum < "$$tmp/one/bin/fever"

MODULES = CGO_ENABLED=0 GOOS=linux go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}' .

.PHONY: licenses
licenses: ## collect the licences of all modules in the binary, in bin/LICENSES
	@mkdir -p bin
	@{ echo fever; echo; cat LICENSE; \
	printf '\n\nThe standard library of Go\n\n'; cat "$$(go env GOROOT)/LICENSE"; \
	$(MODULES) | sort -u | while read -r module dir; do \
		find "$$dir" -type f \( -name 'LICENSE*' -o -name 'NOTICE*' \) | sort | while read -r file; do \
			printf '\n\n%s: %s\n\n' "$$module" "$${file#"$$dir"/}"; cat "$$file"; \
		done; \
	done; } > bin/LICENSES

.PHONY: sbom
sbom: build ## write the bill of materials of bin/fever (CycloneDX) into bin/fever.cdx.json
	$(TOOL) cyclonedx-gomod bin -json -licenses -std -noserial -notimestamp -version '$(VERSION)' -output bin/fever.cdx.json bin/fever

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (1m)
	@targets=$$(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's|/[^/]*_test.go:func |:|' | sort -u); \
	if [ -z "$$targets" ]; then echo "no fuzz targets"; exit 1; fi; \
	for target in $$targets; do \
		echo "$$target"; \
		go test "$${target%%:*}" -run '^$$' -fuzz "^$${target##*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x || exit 1; \
	done

.PHONY: bench
bench: ## run the benchmarks: BENCH=regexp COUNT=n
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 60m ./...

.PHONY: bench-compare
bench-compare: ## compare the benchmarks with those of another commit: REF=main BENCH=regexp
	@tmp=$$(mktemp -d) && trap 'git worktree remove --force "$$tmp/ref"; rm -rf "$$tmp"' EXIT && $(INTERRUPTED) && \
	git worktree add --quiet --detach "$$tmp/ref" $(REF) && \
	(cd "$$tmp/ref" && go test -run '^$$' -bench '$(BENCH)' -benchmem -count 10 -timeout 120m ./... > "$$tmp/old.txt") && \
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count 10 -timeout 120m ./... > "$$tmp/new.txt" && \
	$(TOOL) benchstat "$$tmp/old.txt" "$$tmp/new.txt"

.PHONY: clean
clean: ## remove the built files
	rm -rf bin
