# h5pay. `make dev` runs the whole payment on this machine, `make test` checks
# everything, `make help` lists the rest.

# make dev DESK_PORT=9001 moves the desk, and so on.
upper     = $(shell echo $(port) | tr a-z A-Z)_PORT
with-port = $(if $($(upper)),-$(port)-port $($(upper)))

.PHONY: help dev test check unit fuzz e2e build wasm signer public deploy bench bench-page chaos load size lock clean tools browser
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The project's own Node and wrangler come first, whatever the machine has.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export WRANGLER_SEND_METRICS := false
# go.mod names the oldest Go without known vulnerabilities. An older one, also of an
# image that sets GOTOOLCHAIN=local, fetches it.
export GOTOOLCHAIN := auto

sources   = $(shell find $(1) -name '*.go' ! -name '*_test.go' ! -path '*test/*')
GOWASM   := $(call sources,wasmbuild internal/wasmbin) go.mod
PAGE     := $(call sources,wasm internal/alphabet internal/api internal/cst internal/fen) $(GOWASM)
SIGNER   := $(call sources,signer internal wechat webhook) $(wildcard internal/*/migrations/*.sql) $(GOWASM)
ENTRY    := $(patsubst signer/warm/%,build/%,$(wildcard signer/warm/*.mjs))
JS       := ./wasm ./signer/... ./e2e/warm/program ./e2e/rsabench/program
WASMEXEC  = $(shell go env GOROOT)/lib/wasm/wasm_exec.js

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

dev: build ## the shop, the signer and a simulated WeChat on this machine
	@go build -o .wrangler/dev ./dev
	@exec .wrangler/dev $(foreach port,shop wechat desk phone,$(with-port))

test: tools ## every check: the browser journeys and the budgets included
	@go build -o .wrangler/testrun ./dev/testrun
	@exec .wrangler/testrun $(MAKE) --no-print-directory check unit size e2e

check: tools ## gofmt, vet, staticcheck and known vulnerabilities, natively and for wasm
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet $(JS)
	GOOS=js GOARCH=wasm go vet -tags stock ./signer
	go tool staticcheck ./...
	GOOS=js GOARCH=wasm $$(GOOS= GOARCH= go tool -n staticcheck) $(JS)
	go run ./dev/vulncheck

unit: tools node_modules/.package-lock.json ## the tests that need no browser
	go test $$(go list ./... | grep -v /e2e)

FUZZTIME ?= 10s
fuzz: ## every parser of foreign bytes, one after the other; FUZZTIME=10s each
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' --exclude-dir=node_modules . | sed -E 's|/[^/]*:func | |' | sort | \
	while read -r package name; do echo "$$package $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package || exit 1; done

e2e: build browser ## real Chromium, real workerd, simulated WeChat
	go test -count=1 -timeout 20m ./e2e/...

build: $(ENTRY) build/wasm_exec.js build/signer.wasm public/index.html ## the Worker's bundle and the page

wasm: build/page/app.wasm ## the page's binary alone
signer: build/signer.wasm ## the signer's binary alone
public: public/index.html ## the prerendered page

build/signer.wasm: $(SIGNER) | tools
	@mkdir -p build
	go run ./wasmbuild -for worker -o $@ ./signer

build/%.mjs: signer/warm/%.mjs
	@mkdir -p build
	cp $< $@

build/wasm_exec.js: go.mod | tools
	@mkdir -p build
	cp "$(WASMEXEC)" $@

build/page/app.wasm: $(PAGE) | tools
	@mkdir -p build/page
	go run ./wasmbuild -for page -o $@ ./wasm

public/index.html: build/page/app.wasm node_modules/.package-lock.json $(wildcard public/web/*.css wasm/site/* wrangler.toml .dev.vars*)
	go run ./wasm -out public -wasm $<

node_modules/.package-lock.json: package.json package-lock.json .npmrc | tools
	npm ci --no-audit --no-fund
	@touch $@

lock: tools ## package-lock.json anew, after a change of package.json
	npm install --package-lock-only --no-audit --no-fund
	node dev/lock.mjs

deploy: build ## the shop to Cloudflare; README, "Going live"
	wrangler d1 migrations apply DB --remote
	H5PAY_BUILT=1 wrangler deploy

bench: build ## the signer beside the stock entry and JavaScript, some minutes; writes docs/benchmarks.md
	go test -run '^$$' -bench . ./internal/...
	go run ./e2e/bench -o docs

# make chaos SEED=7 ORDERS=500 BUYERS=1, see docs/chaos.md
SEED   ?= 1
ORDERS ?= 3000
BUYERS ?= 6
campaign = go run ./e2e/chaos -seed $(SEED) -orders $(ORDERS) -buyers $(BUYERS)

chaos: $(ENTRY) build/wasm_exec.js build/signer.wasm ## thousands of orders while everything goes wrong; SEED=7 ORDERS=3000 replays a run
	@mkdir -p artifacts
	$(campaign) -log artifacts/chaos.log

load: $(ENTRY) build/wasm_exec.js build/signer.wasm ## how many orders a second this machine holds, with nothing wrong
	$(campaign) -calm

bench-page: build browser ## the page on an emulated phone beside go-app's hello world; writes docs/pagespeed.md
	go run ./e2e/pagebench -o docs/pagespeed.md

size: build ## the sizes of the Worker and of the page; fails over a limit
	go run ./e2e/size

clean: ## remove what was built, and the local database
	rm -rf build .wrangler artifacts public/assets
	rm -f public/*.html public/*.js public/*.css public/*.webmanifest

tools:
	@command -v go  >/dev/null || { echo 'Go is missing: install Go 1.26 or newer from https://go.dev/dl/ and run make again.'; exit 1; }
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js (any version with npm) from https://nodejs.org/ and run make again.'; exit 1; }

browser:
	@e2e/browser.sh >/dev/null
