# Every target does its own set-up and says what it is doing.
.DEFAULT_GOAL := help
.PHONY: help build demo unit test suite lint modules tidy release-check dist deployment-check vulncheck bench chaos crossing random-schemas catalogues asyncapi debezium services

help: ## Show this list
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## Build the commands into bin/
	@.ci/notice
	go build -o bin/ ./cmd/outbox...

demo: ## Generate the sample, then run service, relay and consumer on it, with a fake Kafka
	@.ci/services postgres redis
	@.ci/notice
	go run ./cmd/outboxgen -C testdata/service generate
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" go run ./cmd/outboxdemo $(ARGS)

unit: ## Run the tests that need no server (a good minute, once everything is compiled)
	@.ci/unit $(ARGS)

test: services ## Run every test (ARGS="-run TestName -v" for some)
	@.ci/test $(ARGS)

suite: ## Run the official JSON Schema Test Suite against generated code (ARGS="-only draft7/ref", ARGS=-update)
	@.ci/services suite
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" OUTBOXGEN_REQUIRE=suite \
		go test ./generator/internal/suite -run TestOfficialSuite -count=1 -v -timeout 20m $(ARGS)

modules: ## Build and vet each Go module as users have it, without go.work (ARGS=-short: test it too)
	@.ci/modules $(ARGS)

tidy: ## Tidy the go.mod and go.sum of each module
	@go run ./cmd/internal/modules tidy

release-check: ## Check that the modules can be released together (VERSION=v1.2.3)
	@go run ./cmd/internal/modules release $(VERSION)

dist: ## Build the release archives of the commands into dist/ (VERSION=v1.2.3, ONLY=linux/amd64)
	@go run ./cmd/internal/dist $(if $(VERSION),-version $(VERSION)) $(if $(ONLY),-only $(ONLY))

deployment-check: ## Check the container file, the Kubernetes files, the systemd unit and the SBOMs with their tools
	@OUTBOXGEN_REQUIRE=deployment .ci/services deployment
	@.ci/deployment/check

vulncheck: ## Look for known vulnerabilities with govulncheck
	@.ci/vulncheck $(ARGS)

lint: ## Run go vet and the pinned golangci-lint, on the golden packages too
	@.ci/lint

bench: ## Run the benchmarks, with minimal code for comparison (report: bench-results/)
	@.ci/services postgres redis kafka debezium
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" go run ./cmd/outboxbench -out bench-results $(ARGS)

chaos: services ## Try to break the relay's guarantees (DURATION=30m, SEED=1)
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" \
		go run ./cmd/outboxchaos -duration $(or $(DURATION),30m) $(if $(SEED),-seed $(SEED)) $(ARGS)

crossing: ## Generate, compile and run every kind of constraint in every place (ARGS=-update lists what fails, ARGS="-from 4000" goes on from there)
	@.ci/notice
	go test ./generator/internal/crossing -count=1 -timeout 0 -v -run '^TestCrossing$$' -full $(ARGS)

random-schemas: ## Generate, compile and run random schemas (DURATION=1h, SEED=1; without DURATION one seed)
	@.ci/notice
	go test ./generator/internal/crossing -count=1 -timeout 0 -v -run '^TestRandomSchemas$$' \
		$(if $(DURATION),-duration $(DURATION)) $(if $(SEED),-seed $(SEED)) $(if $(DURATION)$(SEED),,-duration 1h) $(ARGS)

catalogues: ## Generate, compile and run unchanged public catalogues of schemas (ARGS="-only ocpp")
	@.ci/services catalogues
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" OUTBOXGEN_REQUIRE=catalogues \
		go test ./generator/internal/catalogues -count=1 -timeout 0 -v -run '^TestCatalogues$$' $(ARGS)

asyncapi: ## Read exported documents with the official parser of AsyncAPI
	@.ci/services asyncapi
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" OUTBOXGEN_REQUIRE=asyncapi \
		go test ./generator -count=1 -v -run '^TestAsyncAPIParser$$' $(ARGS)

debezium: ## Compare the records of Debezium with the relay's, and try the guide about it
	@.ci/services postgres kafka debezium
	@.ci/notice
	@OUTBOXGEN_SERVICES="$${OUTBOXGEN_SERVICES:-$(CURDIR)/.services}" OUTBOXGEN_REQUIRE=debezium,kafka,postgres \
		go test ./cmd/internal/debezium -count=1 -v -timeout 30m $(ARGS)

services: ## Fetch what the tests need and the machine lacks: Postgres, Redis, Kafka, Prometheus, PgBouncer, the JSON Schema Test Suite, Chromium
	@.ci/services
