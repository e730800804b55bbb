# `make` prints the targets. Each target does its own set-up: Python 3.11 or newer, make and a
# package index are all it takes. Another interpreter: make book PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
# Always `python -m`: a console script's first line breaks when the folder's path holds a space.
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed
NEW_ENOUGH := -c "import sys; sys.exit(sys.version_info < (3, 11))"
EXTRAS := book,test,bench,offline,ann,als,drift,colab

.DEFAULT_GOAL := help
.PHONY: help book pdf test lab notebooks messages clean

help:
	@echo "make book       execute the chapters whose code changed, render the book, print the page to open"
	@echo "make pdf        the whole book as one PDF, printed by a Chromium"
	@echo "make test       everything CI checks: ruff, mypy, pytest with doctests and notebooks"
	@echo "make lab        JupyterLab on the chapters"
	@echo "make notebooks  execute every chapter and store its outputs in notebooks/"
	@echo "make messages   bring the catalogues of the Chinese translation up to date with the English pages"
	@echo "make clean      remove what the others made, .venv included"

book: $(STAMP)
	@$(VENV)/bin/python book/build.py

pdf: book
	@$(VENV)/bin/python book/print_book.py

# Two workers, one thread each: with more, the numeric libraries fight over the cores.
test: $(STAMP)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	OMP_NUM_THREADS=1 $(RUN) pytest -n 2 --dist loadscope --no-loadscope-reorder --doctest-modules recsys_interest tests

lab: $(STAMP)
	$(RUN) jupyterlab --notebook-dir=notebooks

notebooks: $(STAMP)
	@$(VENV)/bin/python book/build.py --refresh

messages: $(STAMP)
	@$(VENV)/bin/python book/messages.py

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) $(NEW_ENOUGH) || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); name another one: make PYTHON=python3.12"; exit 1; }
	@{ $(RUN) pip --version >/dev/null && $(VENV)/bin/python $(NEW_ENOUGH); } 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (some minutes, once) ..."
# setuptools first and pinned, then no build isolation: the build uses the pin, not the newest one.
	@$(RUN) pip install --quiet --constraint constraints.txt setuptools wheel
	@$(RUN) pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[$(EXTRAS)]"
	@$(RUN) ipykernel install --sys-prefix >/dev/null
	@touch $(STAMP)

clean:
	rm -rf $(VENV) _build build dist recsys_interest.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
