# Crossdock. Everything a person or a build server types here; `make help` lists it.
SHELL := /bin/bash
export GOTOOLCHAIN ?= local
modules := gen kernel platform $(wildcard services/*) integrations/edi cmd/crossdock tests bench
programs := masterdata orders freight billing workflow edge tower
bin := $(CURDIR)/bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build every program into bin/
	@mkdir -p $(bin)
	@go build -o $(bin)/ $(foreach p,$(programs),./services/$(p)/cmd/$(p)) ./integrations/edi/cmd/edi ./cmd/crossdock ./tests/cmd/day ./tests/cmd/capabilities

.PHONY: run
run: build ## start the suite, play the working day once, stay up
	@$(bin)/crossdock up --story-clock --then "$(bin)/day"

.PHONY: demo
demo: build ## play the working day on fresh stores and stop; SUMMARY=file.json keeps its figures
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	$(bin)/crossdock --data "$$dir" up --story-clock --port-base 0 --then "$(bin)/day -once $(if $(SUMMARY),-summary '$(abspath $(SUMMARY))')" --then-exit

.PHONY: capabilities
capabilities: build ## try what the suite is said to be able to do, on a freshly played day; ONLY=S2.8,S4.4 for some
	@$(bin)/capabilities $(if $(ONLY),-only '$(ONLY)')

.PHONY: overload
overload: ## offer orders ten times what it can do, and edge a noisy partner, and print what became of it; PIN=0-1 for orders' processors
	@cd tests && go test ./pressure -count=1 -v -args -long $(if $(PIN),-pin $(PIN))

.PHONY: drill
drill: ## back a running suite up under load, destroy one store, restore it, and print the recovery point and time reached
	@cd tests && go test ./programs -count=1 -v -run TestRestoreDrill

.PHONY: consul
consul: ## build a Consul agent into a cache outside the tree; crossdock up and the tests then use it
	@build/consul.sh

.PHONY: bench
bench: build ## measure the suite beside the machine's limits; ONLY=create-order,.. SECONDS=5 OUT=file.json PROFILE=1 LARGE=1 MARKDOWN=file.md
	@go build -o $(bin)/ ./bench/cmd/bench
	@mkdir -p .crossdock && $(bin)/bench -dir .crossdock -bin $(bin) $(if $(ONLY),-only '$(ONLY)') $(if $(SECONDS),-window '$(SECONDS)s') \
	$(if $(OUT),-out '$(abspath $(OUT))') $(if $(MARKDOWN),-markdown '$(abspath $(MARKDOWN))') $(if $(LARGE),-large) \
	$(if $(PROFILE),-profile .crossdock/profiles)

.PHONY: test
test: ## run all tests
	@go test $$(go list -m -f '{{.Dir}}/...')

.PHONY: check
check: verify-gen verify-web lint breaking standalone test-race ## what the build server runs beside the tests

.PHONY: lint
lint: ## formatting, go vet, buf lint
	@unformatted=$$(git ls-files '*.go' ':!gen' | xargs gofmt -l); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	@go vet $$(go list -m -f '{{.Dir}}/...')
	@build/tools.sh && build/protos.sh && .cache/bin/buf lint proto && .cache/bin/buf format --diff --exit-code proto

.PHONY: breaking
breaking: ## compare the contracts with those of the last release
	@build/breaking.sh

.PHONY: fmt
fmt: ## format Go and protos
	@git ls-files '*.go' ':!gen' | xargs gofmt -w
	@build/tools.sh && build/protos.sh && .cache/bin/buf format --write proto

.PHONY: gen
gen: ## generate gen/ from proto/
	@build/gen.sh

.PHONY: verify-gen
verify-gen: gen ## generate and compare with what is committed
	@git diff --exit-code --stat -- gen && [ -z "$$(git status --porcelain -- gen)" ] || { echo "gen/ is stale: run make gen and commit it"; exit 1; }

.PHONY: web
web: ## build tower's page from services/tower/web; Node is needed for this alone
	@services/tower/web/build.sh

.PHONY: verify-web
verify-web: ## build tower's page and compare with what is committed; the tests tell without Node when it is stale
	@if command -v npm >/dev/null; then services/tower/web/build.sh && git diff --exit-code --stat -- services/tower/internal/page/dist || \
	{ echo "services/tower/internal/page/dist is stale: run make web and commit it"; exit 1; }; \
	else echo "no npm here: that tower's page is built from its sources is told by the tests alone"; fi

.PHONY: standalone
standalone: ## build and vet each module without the workspace
	@for m in $(modules); do (cd $$m && GOWORK=off go build ./... ) || { echo "$$m does not build alone"; exit 1; }; done

.PHONY: test-race
test-race: ## the store, the feed and the tasks under the race detector
	@cd platform && go test -race ./store/... ./eventlog/... ./tasks/...

.PHONY: torture
torture: ## attack the programs while partners are at work, and the simulation; LONG=1 for the long form, ONLY=TestKill for some, SEED=2 for other dice
	@cd platform && go test -tags failpoints ./clock ./failpoint
	@cd tests && go test ./torture -count=1 -v -torture $(if $(LONG),-long -timeout 24h,-timeout 90m) $(if $(ONLY),-run '$(ONLY)') $(if $(SEED),-seed $(SEED))
	@cd tests && set -o pipefail && go test ./chaos -count=1 -v $(if $(LONG),-seeds 500 -stories 1000 -timeout 24h,-seeds 500 -stories 50 -timeout 90m) $(if $(ONLY),-run '$(ONLY)') | $(told)
	@$(if $(LONG),cd tests && set -o pipefail && for from in $$(seq 501 500 20000); do go test ./chaos -count=1 -v -run '$(or $(ONLY),TestSeeds)' -seeds 500 -from $$from -timeout 24h | $(told) || exit 1; done)
	@cd tests && set -o pipefail && go test ./steelthread -count=1 -v -run '$(or $(ONLY),TestSameKey|TestTokens|TestForeign)' | $(told)

# What a simulation says of itself, and all of what fails.
told := awk '/^(simulation|messages|lost answers|in doubt|clock steps|same key|tokens)|^(ok|FAIL|PASS)|--- FAIL/ || /_test.go:[0-9]+: / && !/ turns, /'

FUZZTIME ?= $(if $(LONG),10m,20s)

# The end of its time is sometimes told as a failure by the go command itself, without an input: that is none.
.PHONY: fuzz
fuzz: ## fuzz every decoder, two at a time, for FUZZTIME each: 20s, with LONG=1 10m
	@git grep -nohE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' >/dev/null && git grep -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | sed -E 's|/[^/]*:func | |' | \
	xargs -P 2 -L 1 bash -c 'out=$$(go test "./$$0" -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x -parallel 2 2>&1) || { grep -q "^    context deadline exceeded" <<<"$$out" && ! grep -q "Failing input" <<<"$$out"; } && echo "fuzz: $$0 $$1: $$(grep -oE "execs: [0-9]+" <<<"$$out" | tail -1)" || { echo "$$out"; exit 1; }'

.PHONY: clean
clean: ## remove what was built and the development data
	@rm -rf bin .crossdock
