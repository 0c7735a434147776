# Everything a developer needs. `make help` lists it.

CARGO ?= cargo
BRANCHES ?= 8
FUZZ_SECONDS ?= 300

.PHONY: help demo build test fast check-format lint proto-lint tests clients clients-check clients-tests clients-docs test-clients deploy-tests crash fuzz bench run clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: ## Start the service with a fleet of SQLite branches and migrate it before your eyes.
	$(CARGO) run --release --quiet -- demo --branches $(BRANCHES)

build: ## Build the release binary, target/release/branchkeeper.
	$(CARGO) build --release

run: ## Serve with the migrations in branch_migrations/ and the data in data/.
	$(CARGO) run --release --quiet -- serve

test: ## Everything a change has to pass. Installs what is missing when it may, or says what to install.
	@scripts/prerequisites
	@$(MAKE) --no-print-directory check-format lint proto-lint tests clients-check clients-tests deploy-tests

fast: ## The tests that need no server: seconds once built.
	$(CARGO) test --lib --test house

check-format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --all-targets --locked -- --deny warnings

proto-lint:
	@scripts/buf lint

tests:
	$(CARGO) test --locked --no-fail-fast
	@[ -n "$$BRANCHKEEPER_TEST_SQLSERVER_URL" ] || \
	  echo "skipped: no SQL Server (set BRANCHKEEPER_TEST_SQLSERVER_URL):" \
	  "$$($(CARGO) test --locked --quiet --test it -- --list 2>/dev/null | grep -c 'sqlserver.*: test$$') tests pass without it"

clients: ## Write the generated code of the client libraries.
	@scripts/clients generate

clients-check: # Fails when generated code in clients/ is stale; says so where the tools to know are missing.
	@scripts/clients check

clients-tests: # The client libraries whose toolchain is on this machine.
	@scripts/clients test

clients-docs: ## Write the API documentation of the client libraries to .cache/clients/docs.
	@scripts/clients docs

test-clients: ## Test every client library against the real service, and make its documentation.
	@scripts/clients check --all
	@scripts/clients test --all
	@scripts/clients docs --all

deploy-tests: # The files in deploy/: behind real balancers, and against Kubernetes' schemas.
	@scripts/deployment test

crash: ## The long crash tests: BRANCHKEEPER_CRASH_KILLS (100) per provider.
	BRANCHKEEPER_CRASH_KILLS=$${BRANCHKEEPER_CRASH_KILLS:-100} $(CARGO) test --locked --test it crash:: -- --nocapture

fuzz: ## Search for scripts that the splitter gets wrong, FUZZ_SECONDS (300) long.
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --lib source::script::fuzz -- --nocapture --test-threads 4

bench: ## Speed against the bare driver, as a table and as JSON.
	$(CARGO) bench --bench portable
	$(CARGO) bench --bench fleet
	$(CARGO) bench --bench rebuild
	$(CARGO) bench --bench calls

clean: ## Remove what was built.
	$(CARGO) clean
