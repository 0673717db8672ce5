# What a person types: run, test, check, bench, clean. Each makes what it needs; stamps in .venv are
# named after the contents of pyproject.toml and constraints.txt, so nothing is installed twice.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: run test check bench faults evaluate evaluate-house evaluate-detectors evaluate-sources evaluate-healing calibrate record-sessions picture artifacts llama clean help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.loom
STEP := tools/step.sh
KEY := $(firstword $(shell cat pyproject.toml constraints.txt | cksum))
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
CXX_FOUND := $(shell command -v c++ || command -v g++ || command -v clang++)
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# The tests run side by side, each worker with its own models; more than eight only cost memory.
WORKERS := $(shell n=$(CORES); echo $$((n < 8 ? n : 8)))
# mypy refuses a folder without Python, which plugins may be.
CODE := loom backends $(if $(wildcard plugins/*.py plugins/*/*.py),plugins) sessions tests benchmarks
SOURCES = $(shell find $(CODE) -name __pycache__ -prune -o \( -name '*.py' -o -type d \) -print)

export PYTHON

# Options to the program: make run ARGS="story.loom --model echo"
ARGS :=
# Options to pytest: make test PYTEST="tests/core -x"
PYTEST :=

help: ## list what make can do
	@echo 'make run [ARGS=...]     start Loom (installs what it needs the first time; compiles nothing)'
	@echo 'make test [PYTEST=...]  check, then run every test (the first time also compiles llama.cpp'
	@echo '                        where there is a C++ compiler: about 5 minutes; LLAMA=no leaves it out)'
	@echo 'make check              formatting, lint, types and the rules about who imports whom'
	@echo 'make bench [ARGS=...]   measure speed; ARGS=--list names the benchmarks'
	@echo 'make faults [ARGS=...]  do to sessions what may happen to them, and count what becomes of each'
	@echo 'make evaluate-house CORPUS=...  measure the bundled model anew: docs/house-model.md and .json'
	@echo 'make calibrate CORPUS=...       have it read human text anew: backends/house/calibration.json'
	@echo 'make evaluate CORPUS=...            measure detectors, source estimates, healing; or one of them:'
	@echo 'make evaluate-detectors CORPUS=...  docs/instruments.md and .json'
	@echo 'make evaluate-sources CORPUS=...    docs/source-estimates.md and .json; ARGS="--parts cost": a part'
	@echo 'make evaluate-healing CORPUS=...    docs/healing.json and the table in healing.md'
	@echo 'make record-sessions    record the sessions of sessions/ anew on the bundled model'
	@echo 'make picture            draw the picture of the README anew'
	@echo 'make artifacts CORPUS=...       regenerate everything that depends on its weights'
	@echo 'make llama              try again to compile and install the llama.cpp engine'
	@echo 'make clean              remove everything that make has made here, .venv too (no session)'
	@echo 'PYTHON=/path/to/python3 chooses the Python that .venv is made with.'

run: $(STAMPS)/run-$(KEY)
	@$(BIN)/loom $(ARGS)

check: $(STAMPS)/checked-$(KEY)

ifeq ($(LLAMA),no)
test: check
else
test: check $(STAMPS)/llama-$(KEY)
endif
	@echo 'loom: running the tests'
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(PYTEST)

bench: $(STAMPS)/dev-$(KEY)
	@$(BIN)/python -m benchmarks $(ARGS)

# Kills, cuts, full disks: ARGS="damage kills house disk" names the parts, --scale 0.1 does a tenth.
faults: $(STAMPS)/dev-$(KEY)
	@$(BIN)/python -m benchmarks.faults $(ARGS)

# Where the labelled corpus is unpacked (train/, heldout/, manifest.tsv).
CORPUS := $(LOOM_CORPUS)
evaluate-house: $(STAMPS)/run-$(KEY)
	@test -d "$(CORPUS)/train" || { \
	    echo 'loom: say where the corpus lies: make evaluate-house CORPUS=FOLDER (with train/, heldout/)'; \
	    exit 1; }
	@$(BIN)/python backends/house/evaluate.py "$(CORPUS)" $(ARGS)

calibrate: $(STAMPS)/run-$(KEY)
	@$(BIN)/python -m loom calibrate house "$(CORPUS)/heldout" --tokens 400000 \
	    --out backends/house/calibration.json $(ARGS)
	@sed 's|.*|"$(CORPUS)/train/&"|' backends/house/kept-apart.txt | xargs $(BIN)/python -m loom \
	    calibrate --names-after "$(CORPUS)/heldout" --sources house --tokens 17408 \
	    --out backends/house/calibration.json house

evaluate: evaluate-detectors evaluate-sources evaluate-healing

evaluate-detectors evaluate-sources evaluate-healing: evaluate-%: $(STAMPS)/dev-$(KEY)
	@test -d "$(CORPUS)/heldout" || { \
	    echo 'loom: say where the corpus lies: make evaluate CORPUS=FOLDER (with train/, heldout/)'; \
	    exit 1; }
	@$(BIN)/python -m benchmarks.$(subst detectors,instruments,$*) "$(CORPUS)" $(ARGS)

record-sessions: $(STAMPS)/run-$(KEY)
	@$(BIN)/python -m sessions.record $(ARGS)

artifacts: evaluate-house calibrate evaluate record-sessions picture

# What the README shows, with the bundled model.
picture: $(STAMPS)/run-$(KEY)
	@$(BIN)/python tools/picture.py sessions/first-story.loom 17 docs/loom.svg

llama:
	@rm -f $(STAMPS)/llama-*
	@$(MAKE) --no-print-directory CI=true $(STAMPS)/llama-$(KEY)

clean:
	@echo 'loom: removing .venv, caches and build output'
	@rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@python=$$(tools/find-python.sh) || exit 1; \
	if $(BIN)/python -c 'import pip' 2>/dev/null; then :; else \
	    echo "loom: making .venv with $$python"; \
	    "$$python" -m venv --clear $(VENV) || exit 1; \
	fi; \
	mkdir -p $(STAMPS) && touch $@

# The build back end goes in first, so that building Loom itself fetches nothing unpinned.
$(STAMPS)/run-$(KEY): | $(STAMPS)/venv
	@rm -f $(STAMPS)/run-*
	@$(STEP) 'installing Loom and what it needs (torch is the large one)' $(STAMPS)/run.log \
	    sh -c '$(PIP) hatchling editables && $(PIP) --no-build-isolation --editable .'
	@touch $@

$(STAMPS)/dev-$(KEY): $(STAMPS)/run-$(KEY)
	@rm -f $(STAMPS)/dev-*
	@$(STEP) 'installing the tools for tests and checks' $(STAMPS)/dev.log \
	    $(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

# Without a compiler, or where compiling fails outside CI, the tests that need llama.cpp are skipped.
# Its build tools go in first, as Loom's own did.
$(STAMPS)/llama-$(KEY): $(STAMPS)/dev-$(KEY)
	@rm -f $(STAMPS)/llama-*
ifeq ($(CXX_FOUND),)
	@echo 'loom: no C++ compiler, so the llama.cpp engine is left out and its tests are skipped'
else
	@CMAKE_BUILD_PARALLEL_LEVEL=$(CORES) \
	$(STEP) 'compiling llama.cpp (once; about 5 minutes on 2 cores)' $(STAMPS)/llama.log \
	    sh -c "$(PIP) scikit-build-core cmake ninja && \
	    $(PIP) --no-build-isolation --editable '.[llama]'" || \
	if [ "$$CI" = true ] || [ "$(CI)" = true ]; then exit 1; else \
	    echo 'loom: warning: going on without the llama.cpp engine; make llama tries again'; \
	fi
endif
	@touch $@

$(STAMPS)/checked-$(KEY): $(STAMPS)/dev-$(KEY) $(SOURCES)
	@rm -f $(STAMPS)/checked-*
	@echo 'loom: checking the formatting' && $(BIN)/ruff format --check --quiet $(CODE)
	@echo 'loom: checking for lint' && $(BIN)/ruff check --quiet $(CODE)
	@echo 'loom: checking the types' && $(BIN)/mypy $(CODE)
	@echo 'loom: checking who imports whom' && $(BIN)/lint-imports --no-logo
	@touch $@
