# Everything is set up by the targets themselves; `make help` lists them.
#
# The variables below are data. Make must not expand what a user puts into them and no shell may run it, so
# each is frozen as its unexpanded text (`override ... := $(value ...)`) and reaches Python through the environment
# only; no recipe names one. harness/cli/makevars.py turns them into a command line.

override VARIABLES := GUNICORN PYTHON WORKER PROXY BIND BACKEND LOAD OUT ARGS BOOTSTRAP_PYTHON

# A misspelt variable would silently change nothing, and make would expand its value for the recipes. Our own ones below
# are overridden, so that the command line can't change what a recipe runs; those of make itself, too.
override STRAY := $(strip $(foreach name,$(.VARIABLES),$(if $(filter-out $(VARIABLES),$(name)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))))
$(foreach name,$(STRAY),$(eval unexport $(name)))
$(if $(STRAY),$(warning unknown variable $(STRAY) is ignored; there are: $(VARIABLES)))
override SHELL := /bin/sh
override .SHELLFLAGS := -c

override GUNICORN := $(value GUNICORN)
override PYTHON := $(value PYTHON)
override WORKER := $(value WORKER)
override PROXY := $(value PROXY)
override BIND := $(value BIND)
override BACKEND := $(value BACKEND)
override LOAD := $(value LOAD)
override OUT := $(value OUT)
override ARGS := $(value ARGS)
override BOOTSTRAP_PYTHON := $(value BOOTSTRAP_PYTHON)
export $(VARIABLES)

# The tests start make themselves, and it must not take orders from this one.
unexport MAKEFLAGS MFLAGS MAKELEVEL
# Compiled bytecode saves a second at each start, whatever the caller's environment says.
export PYTHONDONTWRITEBYTECODE :=

override VENV_PYTHON := .venv/bin/python
override HARNESS := $(VENV_PYTHON) -m harness.cli.start
override LOCK := .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet
override DEV_LOCK := --extra pytest --extra docker --extra completion --group dev --output-file requirements/dev.txt
override BROWSER_LOCK := --extra pictures --group browser --constraint requirements/dev.txt --output-file requirements/browser.txt
override SITE_LOCK := --group site --constraint requirements/dev.txt --output-file requirements/site.txt

override AUDIT_LOCK := --group audit --constraint requirements/dev.txt --output-file requirements/audit.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
.PHONY: action advise slow bisects edges known pool recover help setup tools proxies reproduce check doctor test lint format unit integration regression mutants unmodified attacks own-proxies false-alarms faulty-apps containers browser pictures chart structure events options bench audit sbom lock upgrade fresh clean generator site timelines image

help: ## list the targets and the variables
	@echo 'make TARGET [VARIABLE=value ...]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'variables: GUNICORN PYTHON WORKER PROXY BIND BACKEND LOAD OUT, and ARGS for any further option:'
	@echo "  make reproduce GUNICORN=19.6.0 WORKER=sync ARGS='--workers 2 --duration 5'"

setup: ## make .venv from the lock (every other target does it where needed)
	@if test -z "$$BOOTSTRAP_PYTHON" && test -x $(VENV_PYTHON) \
	  && $(VENV_PYTHON) -I -S harness/provision/bootstrap.py --check 2>/dev/null; then exit 0; fi; \
	for python in "$$BOOTSTRAP_PYTHON" python3 python; do \
	  if "$$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then \
	    exec "$$python" -I harness/provision/bootstrap.py; \
	  fi; \
	  if test -n "$$python" && test "$$python" = "$$BOOTSTRAP_PYTHON"; then \
	    echo 'set-up failed: BOOTSTRAP_PYTHON is not a Python 3 that starts' >&2; exit 4; \
	  fi; \
	done; \
	echo 'set-up failed: there is no python3 on PATH' >&2; \
	echo 'To do: install Python 3.10 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)' >&2; \
	exit 4

tools: setup ## have h2o and wrk: from PATH, else installed or fetched
	@command -v h2o >/dev/null && command -v wrk >/dev/null || $(VENV_PYTHON) -m harness.cli.fetching --install

# Not every distribution has all of them, and only the default run needs what `tools` gets.
proxies: setup ## have nginx, haproxy and caddy, too, for the tests with them
	@$(VENV_PYTHON) -m harness.cli.fetching --install --proxies \
	  || echo 'set-up: not every proxy is to be had here; the tests with what is missing are skipped' >&2

reproduce: setup ## one run of GUNICORN; prints the verdict and where the record lies
	@$(HARNESS) reproduce

check: setup ## the same run as a test: fails where GUNICORN violates what it promises
	@$(HARNESS) check

doctor: setup ## what is installed, what is missing, how to get it
	@$(HARNESS) doctor

test: setup tools proxies lint unit integration regression containers browser ## all checks and tests

lint: setup ## ruff and mypy
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

format: setup ## let ruff format the code and fix what it can
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

unit: setup ## tests that start no process
	@$(VENV_PYTHON) -m pytest tests/unit -n 2

# Two files at a time take little more than half as long, with three the timings suffer; those that only wait go first,
# eight at a time, and out of their own files alone: each worker reads all files that it is given.
integration: setup ## tests against small stub servers
	@$(VENV_PYTHON) -m pytest -m 'waits and not slow' $$(grep -l 'mark\.waits' tests/integration/*.py) -n 8 --dist load
	@$(VENV_PYTHON) -m pytest -m 'not waits and not slow' tests/integration -n 2 --dist loadfile --no-loadscope-reorder

slow: setup tools proxies ## the tests that take long, of whose kind `make test` runs a quicker one (minutes)
	@$(VENV_PYTHON) -m pytest -m slow tests/integration -n 2 --dist loadfile
	@docker/with-engine $(VENV_PYTHON) -m pytest -m slow tests/docker

regression: setup tools ## tests against pinned gunicorns, h2o and wrk, and a sample of the mutants and attacks
	@$(VENV_PYTHON) -m pytest -m 'not slow' tests/regression tests/mutants tests/attacks -n 2 --dist loadfile

advise: setup tools proxies ## published settings that `harness advise` calls affected, and its warnings, each shown by a run (minutes)
	@$(VENV_PYTHON) -m pytest -m slow tests/regression/test_published_settings.py tests/regression/test_advise_warnings.py

recover: setup tools ## the ladder back on real releases: what heals each of five outages (minutes)
	@$(VENV_PYTHON) -m pytest -m slow tests/regression/test_ladder.py

own-proxies: setup tools proxies ## four proxy configurations as people have them, each in front of a real release
	@$(VENV_PYTHON) -m pytest tests/regression/test_own_proxies.py

action: setup tools ## the GitHub Action on a checkout of gunicorn: a fault is stopped, a harmless change passes (minutes)
	@$(VENV_PYTHON) -m pytest -m slow -s tests/regression/test_action.py

faulty-apps: setup tools ## twelve apps that misbehave, and signals from outside: none is blamed on gunicorn (minutes)
	@$(VENV_PYTHON) -m pytest tests/regression/test_faulty_apps.py tests/regression/test_interference.py

# Two hundred runs take more than half an hour: make unmodified ARGS='--quick 40 --default 0 27.*'
unmodified: setup tools proxies ## run releases as they are, half beside busy loops, and count wrong verdicts
	@$(VENV_PYTHON) -m tests.unmodified

# One kind alone: make attacks ARGS=specs, or options, stored, records, attachments, pages, surroundings, interrupts,
# disturbed; of the last two a part: ARGS='interrupts --part 1/4'.
attacks: setup tools pictures ## attack the harness, and print what it did not withstand (half an hour)
	@$(VENV_PYTHON) -m tests.attacks

# Of a release and a worker class that lose nothing by hand: what the harness says against them would be a wrong verdict.
false-alarms: setup tools ## 100 runs of reload, upgrade, scale and reopen-logs on a sound release (a quarter of an hour)
	@$(VENV_PYTHON) -m tests.false_alarms

# tests/mutants/README.md tells what they are; its options come in ARGS, as data.
mutants: setup tools ## judge all patched releases and print the score (minutes; ARGS='path-* --repeats 3')
	@$(VENV_PYTHON) -m tests.mutants

# Where no engine answers the tests skip and say so; with CI set, as root on Debian, one is installed and started first.
containers: setup tools ## tests of the docker back end, against a real engine
	@docker/with-engine $(VENV_PYTHON) -m pytest -m 'not slow' tests/docker -n 2 --dist loadfile

# Its test builds it, too, and runs it: docker/with-engine .venv/bin/python -m pytest -m slow tests/docker
image: setup ## the harness as a container image, recycle-harness/harness, on the engine that answers (a minute)
	@$(VENV_PYTHON) -m maintenance.image

# Where Chromium can't be installed the tests skip and say so: the pages are made without it. Playwright's driver needs
# libatomic, which a bare Debian lacks.
browser: setup pictures generator ## tests of the pages in Chromium, which is installed first where we are root on Debian
	@{ command -v chromium && .venv/bin/playwright --version; } >/dev/null 2>&1 || test "$$(id -u)" != 0 \
	  || ! command -v apt-get >/dev/null || { echo 'installing the packages chromium and libatomic1'; \
	  apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install \
	  --no-install-recommends chromium libatomic1 >/dev/null; } || true
	@$(VENV_PYTHON) -m pytest -m 'not timed' tests/browser -n 2 --dist worksteal
	@$(VENV_PYTHON) -m pytest -m timed tests/browser

pictures: setup ## have what draws pictures without a browser, and what drives one
	@.venv/bin/uv pip install --quiet --python $(VENV_PYTHON) --no-deps --require-hashes -r requirements/browser.txt

generator: setup ## have what makes the site
	@.venv/bin/uv pip install --quiet --python $(VENV_PYTHON) --no-deps --require-hashes -r requirements/site.txt

# Records of the tables' runs, where they are at hand, add their pages: make site ARGS='--records runs/results'.
site: generator ## the site, static, from docs/ and the stored results, into build/site
	@$(VENV_PYTHON) -m maintenance.site

timelines: setup ## what the site draws of the tables' runs, from their records: make timelines ARGS=runs/results
	@$(VENV_PYTHON) -m maintenance.timelines

chart: pictures ## re-make the charting library that travels with report.html, after an upgrade of vl-convert
	@$(VENV_PYTHON) -m maintenance.charting

structure: setup ## re-make what the docs show of the code: the picture of the packages, the tables of findings
	@$(VENV_PYTHON) -m maintenance.structure
	@$(VENV_PYTHON) -m maintenance.findings

options: setup ## re-make docs/options.md, after a change of an option or a worker class
	@$(VENV_PYTHON) -m maintenance.options_page

audit: setup ## known advisories for what the project's environments hold; skipped where no database can be reached
	@.venv/bin/uv venv --quiet --clear --python $(VENV_PYTHON) build/audit
	@.venv/bin/uv pip install --quiet --python build/audit/bin/python --no-deps --require-hashes -r requirements/audit.txt
	@$(VENV_PYTHON) -m maintenance.audit build/audit/bin/python

sbom: setup ## what the images of the docker back end are made of, as CycloneDX, into build/sbom
	@$(VENV_PYTHON) -m maintenance.bills

bench: setup tools ## what the harness costs, as ratios in one run (minutes; ARGS='floor default profiles ...')
	@$(VENV_PYTHON) -m bench

# Needs a clone: make bisects ARGS='--repo ../gunicorn'. What is named there is bisected alone.
bisects: setup tools ## bisect the edges of the tables once more, into docs/results/bisects.json (an hour)
	@$(VENV_PYTHON) -m maintenance.bisects

# Two tables of disjoint runs: make edges ARGS='runs/first runs/second', with --format md for a page.
edges: setup ## do two maps of the same releases claim the same edges? lists each that only one claims, and why
	@$(VENV_PYTHON) -m maintenance.edges

# Such as campaigns of two days: make pool ARGS='docs/results/matrix.json runs/today docs/results/matrix.json'.
pool: setup ## one table out of several: the runs of cells with the same settings together
	@$(VENV_PYTHON) -m maintenance.pooling

known: setup ## re-make the pages of docs/results/, docs/safe.md and what `harness advise` knows, after a change there
	@$(VENV_PYTHON) -m maintenance.result_pages
	@$(VENV_PYTHON) -m maintenance.known
	@$(VENV_PYTHON) -m maintenance.safe

events: setup ## re-make docs/events.md from the classes of the events
	@$(VENV_PYTHON) -m maintenance.events

lock: setup ## re-make requirements/*.txt after a change of pyproject.toml; pins that still fit stay
	@$(LOCK) $(DEV_LOCK)
	@$(LOCK) $(BROWSER_LOCK)
	@$(LOCK) $(SITE_LOCK)
	@$(LOCK) $(AUDIT_LOCK)

upgrade: setup ## re-make requirements/*.txt with the newest releases; `make chart` afterwards
	@$(LOCK) $(DEV_LOCK) --upgrade
	@$(LOCK) $(BROWSER_LOCK) --upgrade
	@$(LOCK) $(SITE_LOCK) --upgrade
	@$(LOCK) $(AUDIT_LOCK) --upgrade

# Needs root and debootstrap, or a Docker engine; where neither can be had it says so and ends well. More of it:
# tests/fresh/run.
fresh: ## the README's two commands in a clone on a bare Debian, as root and as a user (many minutes)
	@for who in '' --user; do \
	  tests/fresh/run $$who || { status=$$?; test $$status = 77 || exit $$status; }; \
	done

clean: ## remove .venv and what the checks cached here; runs and `harness clean`'s caches stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find harness maintenance tests fixtures -name __pycache__ -type d -prune -exec rm -rf {} +
