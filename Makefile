# Everything below makes .venv when it is missing. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.PHONY: help demo test lab lint format notebooks constraints clean

help:            ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

demo: $(VENV)/.done   ## the whole workbook on the generated shop; ends with the report's path
	$(BIN)/mmlib run params/toy.yaml

test: $(VENV)/.done   ## all tests, every notebook among them
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lab: $(VENV)/.done    ## JupyterLab in notebooks/
	$(BIN)/jupyter lab --notebook-dir=.

lint: $(VENV)/.done   ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.done ## ruff's formatter and its safe fixes
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

notebooks: $(VENV)/.done ## make each .ipynb again from its .py
	$(BIN)/mmlib pair

clean:           ## forget what was computed; the environment stays
	find outputs -mindepth 1 ! -name README.md -delete

$(VENV)/.done: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[encoders,sentences,fetch,workbook,dev]'
	touch $@
