# Triad. `make up` runs the platform on this machine, `make test` runs every test.
# What either needs and finds missing it installs: see scripts/setup.sh.

GO        ?= go
export CGO_ENABLED = 0
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X main.version=$(VERSION)
CONSOLE   := $(shell find console/src console/*.json console/*.ts console/*.html -type f 2>/dev/null)

.PHONY: up demo build console test unit lint fuzz bench clean setup

up: build ## build and run the platform here
	bin/triad up

demo: build ## the same, beside a small bundled estate
	bin/triad up --demo

build: console ## bin/triad and bin/triad-code
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

console: console/dist/app/index.html

console/node_modules/.package-lock.json: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

console/dist/app/index.html: console/node_modules/.package-lock.json $(CONSOLE)
	cd console && npm run --silent build

setup: ## install what tests need (Debian packages; as root)
	scripts/setup.sh

test: setup build lint unit ## everything

unit:
	scripts/test.sh

lint:
	scripts/lint.sh

fuzz: ## every fuzz target for FUZZTIME each
	scripts/fuzz.sh

bench: build ## measure; results are kept in bench/README.md
	$(GO) run ./bench

clean:
	rm -rf bin console/dist
