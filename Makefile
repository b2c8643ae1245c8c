# h5pay. `make dev` runs the shop and a simulated WeChat on this machine, `make test` runs every
# check, `make help` lists the other targets.

# `make dev DESK_PORT=9001` changes the port of the desk. SHOP_PORT, WECHAT_PORT and PHONE_PORT
# work the same. `make dev API=v2` gives the shop a key of APIv2 instead of those of APIv3.
upper     = $(shell echo $(port) | tr a-z A-Z)_PORT
with-port = $(if $($(upper)),-$(port)-port $($(upper)))

.PHONY: help dev test check unit fuzz e2e e2e-others e2e-page e2e-operators e2e-shoppers e2e-versions build binary release wasm signer public deploy compressed bench bench-page first chaos load size lock clean tools browser languages postgres test-postgres journeys scale scale-postgres
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The project's own Node and wrangler come first.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export WRANGLER_SEND_METRICS := false
# Node would leave compiled code of tsc in the folder for temporary files.
export NODE_DISABLE_COMPILE_CACHE := 1
# go.mod names the oldest Go without known vulnerabilities. An older Go downloads it, even in an
# image that sets GOTOOLCHAIN=local.
export GOTOOLCHAIN := auto

sources   = $(shell find $(1) -name '*.go' ! -name '*_test.go' ! -path '*test/*')
GOWASM   := $(call sources,internal/cmd/wasmbuild internal/wasmbin) go.mod
PAGE     := $(call sources,wasm internal/alphabet internal/api internal/cst internal/fen) $(GOWASM)
CONSOLE  := $(call sources,wasm/console wasm/dom wasm/ui internal/api internal/cst internal/fen internal/v1) $(GOWASM)
SIGNER   := $(call sources,signer internal wechat webhook) internal/startpage/rows.txt $(wildcard internal/*/migrations/*.sql) $(GOWASM)
ENTRY    := $(patsubst signer/warm/%,build/%,$(wildcard signer/warm/*.mjs))
JS       := ./wasm/... ./signer/... ./e2e/warm/program ./e2e/rsabench/program
WASMEXEC  = $(shell GOTOOLCHAIN=auto go env GOROOT)/lib/wasm/wasm_exec.js

help: ## print this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

dev: build ## run the shop, the signer and a simulated WeChat on this machine
	@go build -o .wrangler/dev ./internal/cmd/dev
	@exec .wrangler/dev $(if $(API),-api $(API)) $(foreach port,shop wechat desk phone,$(with-port))

test: tools ## run every check, including the browser journeys and the size limits
	@go build -o .wrangler/testrun ./internal/cmd/testrun
	@exec .wrangler/testrun $(MAKE) --no-print-directory check unit size e2e

check: tools ## run gofmt, vet, staticcheck and the vulnerability check, natively and for wasm
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet $(JS)
	GOOS=js GOARCH=wasm go vet -tags stock ./signer
	go vet -tags campaign ./signer
	go tool staticcheck ./...
	GOOS=js GOARCH=wasm $$(GOOS= GOARCH= go tool -n staticcheck) $(JS)
	go run ./internal/cmd/vulncheck

unit: tools postgres node_modules/.package-lock.json ## run the tests that need no browser
	go test $$(go list ./... | grep -v /e2e)
	H5PAY_TEST_DATABASE=postgres go test ./internal/store ./internal/payment
	H5PAY_TEST_DATABASE=postgres go test -run '^TestCampaign$$' ./internal/server

# These tests of internal/server count D1's statements or fill a file of SQLite.
of-sqlite = TestStatements|TestOrderCostsOneCall|TestOperatorClosesTheOrdersOfAProduct|TestCustomerOrderUnknown|TestFindingManyRefundsKeepsToTheFreePlan|TestFreshOrderIsNotQueried|TestTimerClosesWithinItsLimits|TestOneTimerRunQueriesMany|TestFullDatabase|TestTimerDoesNotReadTheSameOrdersAgain|TestReconcileIsBoundedAndGoesOn

test-postgres: tools postgres ## run all tests of the store and of what uses it on PostgreSQL
	H5PAY_TEST_DATABASE=postgres go test -timeout 20m -skip '^($(of-sqlite))' ./internal/store ./internal/payment ./internal/outbox ./internal/certificate ./internal/server

FUZZTIME ?= 10s
fuzz: ## fuzz every parser of untrusted bytes, one after the other; FUZZTIME=10s each
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' --exclude-dir=node_modules . | sed -E 's|/[^/]*:func | |' | sort | \
	while read -r package name; do echo "$$package $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package || exit 1; done

# The journeys run on APIv3 with the public key. Those in which WeChat Pay's messages differ run on
# APIv2 and with platform certificates too. `make journeys API=v2` runs all of them on one version.
verified = $(call tests,reconcile refund secrets webhook)|TestPay|TestPayByCode|TestPayInAPhonesBrowser|TestForgedNotifications
tests    = $(shell grep -ohE '^func Test[A-Za-z0-9]+' $(patsubst %,e2e/%_test.go,$(1)) | sed 's/func //' | paste -sd'|' -)

# Several runs at once, because journeys wait more than they compute. Each has a world of its own.
operators = ^Test(Console|Desk)
page      = ^($(call tests,cache calls faults load navigation optionalapis pages signin start startpage))$$

e2e: build compressed browser languages postgres ## run the tests with real Chromium, real workerd and a simulated WeChat
	@$(MAKE) --no-print-directory -j 4 --output-sync=target e2e-others e2e-page e2e-operators e2e-shoppers e2e-versions

e2e-others:
	go test -count=1 -timeout 25m $$(go list ./e2e/... | grep -v /e2e$$)

e2e-page:
	go test -count=1 -timeout 25m -run '$(page)' ./e2e

e2e-operators:
	go test -count=1 -timeout 25m -run '$(operators)' ./e2e

e2e-shoppers:
	go test -count=1 -timeout 25m -skip '$(operators)|$(page)' ./e2e

e2e-versions:
	E2E_API=certificates go test -count=1 -timeout 25m -run '^($(verified))$$' ./e2e
	E2E_API=v2 go test -count=1 -timeout 25m -run '^($(verified))$$' ./e2e

journeys: build compressed browser ## run every journey in the browser on one version of WeChat's API: API=v3, certificates or v2
	E2E_API=$(API) go test -count=1 -timeout 40m ./e2e

build: $(ENTRY) build/wasm_exec.js build/signer.wasm public/app-worker.js public/v1/openapi.json ## build the Worker and the page

compressed: public/app-worker.js ## build the page, and compress the page's program as well as brotli can (seconds)
	node internal/cmd/compress/compress.mjs public/assets

binary: public compressed ## build the native command, build/h5pay, with the page inside
	@mkdir -p build
	CGO_ENABLED=0 go build -trimpath -o build/h5pay ./signer

release: node_modules/.package-lock.json ## build the native command for every platform, from the last commit, into build/release
	go run ./internal/cmd/release

wasm: build/page/app.wasm build/console/app.wasm ## build the binaries of the page and of the console
signer: build/signer.wasm ## build the signer's binary
public: public/app-worker.js public/v1/openapi.json ## build the prerendered page and the document of /v1

build/signer.wasm: $(SIGNER) | tools
	@mkdir -p build
	go run ./internal/cmd/wasmbuild -for worker -o $@ ./signer

build/%.mjs: signer/warm/%.mjs
	@mkdir -p build
	cp $< $@

build/wasm_exec.js: go.mod | tools
	@mkdir -p build
	cp "$(WASMEXEC)" $@

build/page/app.wasm: $(PAGE) wasm/first.txt | tools
	@mkdir -p build/page
	go run ./internal/cmd/wasmbuild -for page -first wasm/first.txt -o $@ ./wasm

build/console/app.wasm: $(CONSOLE) | tools
	@mkdir -p build/console
	go run ./internal/cmd/wasmbuild -for page -o $@ ./wasm/console

# The whole site. The service worker is its last file, so a build that was cut off is done again.
public/app-worker.js: build/page/app.wasm build/console/app.wasm $(call sources,internal/startpage) internal/startpage/rows.txt node_modules/.package-lock.json $(wildcard public/web/*.css wasm/site/* wasm/console/*.css wrangler.toml .dev.vars*)
	go run ./wasm -out public -wasm $< -console build/console/app.wasm

public/v1/openapi.json: $(call sources,internal/v1 internal/openapi internal/api internal/fen internal/cmd/openapi) $(wildcard internal/openapi/*.md internal/openapi/*.txt internal/openapi/page.*) go.mod | tools
	go run ./internal/cmd/openapi -out $(@D)

node_modules/.package-lock.json: package.json package-lock.json .npmrc | tools
	npm ci --no-audit --no-fund
	@touch $@

lock: tools ## update package-lock.json after a change of package.json
	npm install --package-lock-only --no-audit --no-fund
	node internal/cmd/lock/lock.mjs

deploy: build compressed ## deploy the shop to Cloudflare; see docs/going-live.md
	wrangler d1 migrations apply DB --remote
	H5PAY_BUILT=1 wrangler deploy

bench: build ## compare the signer with the stock entry and JavaScript (minutes); writes docs/benchmarks.md
	go test -run '^$$' -bench . ./internal/...
	go run ./e2e/bench -o docs

# For example `make chaos SEED=7 ORDERS=500 BUYERS=1`, see docs/chaos.md. `make chaos ON=postgres` runs
# three nodes on PostgreSQL, `make chaos ON=sqlite` one node on a file.
SEED   ?= 1
ORDERS ?= 3000
BUYERS ?= 6
campaign = go run ./e2e/chaos -seed $(SEED) -orders $(ORDERS) -buyers $(BUYERS) $(if $(API),-api $(API)) $(if $(ON),-on $(ON))
machines = $(if $(filter sqlite,$(ON)),tools,$(if $(filter postgres,$(ON)),tools postgres,$(ENTRY) build/wasm_exec.js build/signer.wasm))

chaos: $(machines) ## place thousands of orders while faults occur; SEED=7 ORDERS=3000 repeats a run
	@mkdir -p artifacts
	$(campaign) -log artifacts/chaos.log

load: $(machines) ## measure how many orders per second this machine handles without faults
	$(campaign) -calm

scale: tools postgres ## compare the model of docs/scale.md with the databases of this machine (minutes)
	go run ./e2e/scale -measure

# `make scale-postgres ORDERS=200000` takes a minute. 10 million orders take 30 GB of TMPDIR and ten minutes
# of a processor; docs/scale.md says how a compressed disk of 7 GB holds them.
scale-postgres: tools postgres ## fill PostgreSQL with 10 million orders, and time list, search and an idle minute
	go run ./e2e/scale -postgres $(if $(filter file,$(origin ORDERS)),10000000,$(ORDERS))

first: build/page/app.wasm public/app-worker.js browser ## write the names of the functions that the page's program runs first, wasm/first.txt
	go run ./internal/cmd/wasmbuild -for page -o build/page/app.wasm ./wasm
	go run ./wasm -out public -wasm build/page/app.wasm -console build/console/app.wasm
	go run ./e2e/pagebench -first wasm/first.txt

bench-page: build compressed browser .wrangler/lighthouse/node_modules/.package-lock.json ## compare the page with go-app's hello world and JavaScript on an emulated phone; writes docs/pagespeed.md
	go run ./e2e/pagebench -lighthouse .wrangler/lighthouse -o docs/pagespeed.md

.wrangler/lighthouse/node_modules/.package-lock.json: e2e/pagebench/lighthouse/package.json e2e/pagebench/lighthouse/package-lock.json .npmrc
	@mkdir -p .wrangler/lighthouse
	cp $^ .wrangler/lighthouse
	cd .wrangler/lighthouse && npm ci --no-audit --no-fund
	@touch $@

size: build ## print the sizes of the Worker and the page; fail above a limit
	go run ./e2e/size

clean: ## remove build results and the local database
	rm -rf build .wrangler artifacts public/assets public/v1
	rm -f public/*.html public/*.js public/*.css public/*.webmanifest

tools:
	@command -v go  >/dev/null || { echo 'Go is missing: install Go 1.26 or newer from https://go.dev/dl/ and run make again.'; exit 1; }
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js (any version with npm) from https://nodejs.org/ and run make again.'; exit 1; }

browser:
	@e2e/browser.sh >/dev/null

languages:
	@e2e/languages.sh

postgres:
	@internal/pgtest/install.sh
