# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 3
# What measures time while Kafka is away has the machine for itself. The rest shares it.
ALONE := tests/e2e/test_kafka_away.py tests/e2e/test_demo.py
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp-dev
# Both runs of `make test` write here what they left out.
LEFT_OUT := $(VENV)/.left-out

.PHONY: help setup demo test container-test cluster-test check schemas types format lock release-files bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with everything, from the locked requirements

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("treble-bridge needs Python 3.11 or newer; set PYTHON=... to one") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## run the main job and show it; KAFKA=host:port runs it on a real broker
	$(BIN)/treble-bridge demo $(if $(KAFKA),--kafka $(KAFKA),)

test: $(STAMP) ## all tests but those in containers and clusters; a real broker is found or started
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@rm -f $(LEFT_OUT)
	LEFT_OUT_FILE=$(LEFT_OUT) $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --max-worker-restart 0 $(ALONE:%=--ignore=%)
	LEFT_OUT_FILE=$(LEFT_OUT) $(BIN)/python -m pytest $(ALONE)
	@$(BIN)/python -m tests.left_out $(LEFT_OUT)
endif

container-test: $(STAMP) ## the image and compose.yaml, in Docker
	$(BIN)/python -m pytest tests/container $(ARGS)

cluster-test: $(STAMP) ## the chart on the Kubernetes that KUBECONFIG names (see CONTRIBUTING.md)
	$(BIN)/python -m pytest tests/cluster $(ARGS)

check: $(STAMP) ## format, lint, types, layers, staleness of generated schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m bridge.schemas.generate --check
	$(BIN)/python -m helm.generate --check

schemas: $(STAMP) ## make the generated files again: schemas, AsyncAPI, the chart's, dashboard, tables in docs/
	$(BIN)/python -m bridge.schemas.generate
	$(BIN)/python -m bridge.settings.reference
	$(BIN)/python -m helm.generate
	$(BIN)/python -m observability.dashboard
	$(BIN)/python -m tests.doc_pages

types: $(STAMP) ## make the types of examples/ again, from the schemas (needs Node, Go, Maven)
	$(BIN)/python -m examples.schema

format: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP) ## resolve the requirements again, with hashes
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements/runtime.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra demo -o requirements/demo.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra otel -o requirements/otel.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements/build.txt requirements/build.in
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra dev -o requirements/dev.txt pyproject.toml requirements/build.in

release-files: $(STAMP) ## sdist and wheel in dist/packages/, SBOM beside them (docs/releasing.md)
	$(BIN)/python -m release.packages dist/packages
	$(BIN)/python -m release.sbom dist/treble-bridge.cdx.json

bench: $(STAMP) ## measure beside a bare handler (see bench/README.md)
	$(BIN)/python -m bench.ingress $(ARGS)

clean: ## remove what was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
