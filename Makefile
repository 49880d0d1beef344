# Set CARILLON_PORT, CARILLON_STATE_DIR or CARILLON_BASE_PORT to move things.

PYTHON_ := .venv/bin/python
STACK := $(PYTHON_) -m deploy.stack
PYTEST := $(PYTHON_) -m pytest
# What only thorough tests need takes seconds to import.
LEAN := -p no:schemathesis --ignore tests/web/api/test_conformance.py

.DEFAULT_GOAL := help
.PHONY: help run test test-unit trials stack manage stack-down scale bench bench-quick bench-bulk lint fmt lock k8s-lint k8s-render \
	dashboards watching test-rollout images test-compose

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run Carillon in one process at http://127.0.0.1:8000; needs no server.
	@deploy/bootstrap stack check $(or $(CARILLON_PORT),8000)
	@deploy/bootstrap base assets
	@exec $(PYTHON_) -m services.embedded

test: ## Run every test, with RabbitMQ, PostgreSQL, nginx and Chromium; installs what is missing.
	@deploy/bootstrap dev assets sdk
	@$(STACK) install --browser --compiler
	$(PYTEST) -n auto -m "not servers"
	deploy/bootstrap npm test
	$(STACK) run -- $(PYTEST) -n auto -m "database and not servers"
	$(STACK) run -- $(PYTEST) -n 2 --dist loadfile -m servers

test-unit: ## Run the tests that need no servers, in less than a minute; leaves out the thorough ones.
	@deploy/bootstrap dev
	$(PYTEST) -n auto -m "not servers and not thorough" $(LEAN)

images: ## Build web, gateway, worker and nginx with the Docker engine that answers.
	@deploy/images/build

test-compose: ## Bring docker-compose.yml up, chat, scale, tear down; 5 minutes, 10 the first time; KEEP=1 keeps images.
	@deploy/bootstrap dev
	@exec $(PYTHON_) -m tests.compose $(if $(filter-out 0,$(KEEP)),--keep)

test-rollout: ## Replace every process by a new version under load, and see that nothing is lost; 3 minutes; QUICK=1: 2.
	@deploy/bootstrap dev assets sdk
	@$(STACK) install
	@exec $(PYTHON_) -m tests.rollout $(if $(filter-out 0,$(QUICK)),--quick)

trials: ## Try 20 to 30 times what must hold: killed gateways, lost rights, old dumps; 12 minutes; QUICK=1: 4.
	@deploy/bootstrap dev assets sdk
	@$(STACK) install
	@exec $(PYTHON_) -m tests.sdk.trials $(if $(filter-out 0,$(QUICK)),--quick) $(SHOW)

stack: ## Run the real form at http://127.0.0.1:8080: nginx, gunicorn, GATEWAYS=2, worker, RabbitMQ, PostgreSQL.
	@deploy/bootstrap stack check
	@deploy/bootstrap base assets
	@$(STACK) install
	@$(STACK) up $(if $(GATEWAYS),--gateways="$(GATEWAYS)")

manage: ## Run manage.py on the stack's database: make manage ARGS="createsuperuser".
	@deploy/bootstrap stack manage -- $(or $(ARGS),help)

stack-down: ## Stop the real form; data stays.
	@deploy/bootstrap stack down

scale: ## Change the number of gateways while the rest runs: make scale GATEWAYS=3.
	@$(if $(GATEWAYS),,echo "Say how many: make scale GATEWAYS=3." >&2; exit 2)
	@deploy/bootstrap stack scale -- "$(GATEWAYS)"

bench: ## Measure a gateway beside a C program and other servers, then a whole one; 18 minutes.
	@deploy/bootstrap bench
	@$(STACK) install --compiler
	@status=0; \
	$(PYTHON_) -m tests.load.fanout || status=$$?; \
	[ $$status -gt 1 ] || $(PYTHON_) -m tests.load.live || status=$$?; \
	[ $$status -gt 1 ] || $(PYTHON_) -m tests.load.durable || status=$$?; \
	[ $$status -gt 1 ] || $(PYTHON_) -m tests.load.recovery || status=$$?; \
	exit $$status

bench-quick: ## The same for the gateway's server and the C program alone; 2 minutes.
	@deploy/bootstrap dev
	@$(STACK) install --compiler
	@exec $(PYTHON_) -m tests.load.fanout --quick

bench-bulk: ## Measure a bulk job beside a tutorial's loop, on a stack of its own; FULL=1: to 1,000,000.
	@deploy/bootstrap dev assets
	@$(STACK) install
	@exec $(PYTHON_) -m tests.load $(if $(filter-out 0,$(FULL)),--full)

lint: ## Check style, types, import rules, templates and TypeScript.
	@deploy/bootstrap dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djlint --quiet --lint services shared
	deploy/bootstrap npm run check
	deploy/bootstrap npm run lint

fmt: ## Format the sources.
	@deploy/bootstrap dev
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .
	deploy/bootstrap npm run format

lock: ## Write requirements/*.txt from requirements/*.in.
	@deploy/bootstrap lock

k8s-lint: ## Check the chart and its manifests without a cluster; fetches helm and kubectl by hash.
	@deploy/bootstrap dev
	@exec $(PYTHON_) -m deploy.k8s lint

k8s-render: ## Write deploy/k8s/manifests from the chart and its values.yaml.
	@deploy/bootstrap dev
	@exec $(PYTHON_) -m deploy.k8s render

dashboards: ## Write Grafana's dashboards from deploy/dashboards.
	@deploy/bootstrap dev
	@exec $(PYTHON_) -m deploy.dashboards

watching: ## Compare every panel of the dashboards with a load that counts what it does; a minute or two.
	@deploy/bootstrap dev assets
	@exec $(PYTHON_) -m tests.watching
