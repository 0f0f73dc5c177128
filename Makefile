# make is the manual: `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Whatever a shell of another project points Python at: it may have a `pipeline` or a `model`, too.
export PYTHONPATH := $(CURDIR)
unexport PYTHONHOME

# The Python that makes .venv, 3.11 to 3.13; empty: the first that runs. Everything afterwards runs in .venv.
PYTHON ?=
# torch is pinned apart from requirements.lock, so that a machine can choose its own build of it, for example
#   make install TORCH_INDEX=https://download.pytorch.org/whl/cpu     (200 MB instead of 2.6 GB of CUDA)
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
ARGS ?=

BIN := .venv/bin
UNDERTOW := $(BIN)/undertow
# UNDERTOW_HOME as the settings read it: from the environment, else from the last such line of .env.
IN_FILE := $(shell [ ! -f .env ] || sed -nE 's/^[[:space:]]*(export[[:space:]]+)?UNDERTOW_HOME[[:space:]]*=[[:space:]]*//p' .env \
  | tail -n 1 | sed -E -e "s/^'([^']*)'.*/\1/" -e 's/^"([^"]*)".*/\1/' -e 's/[[:space:]]+(\#.*)?$$//' -e "s|^~/|$$(echo ~)/|")
HOME_CHOSEN := $(or $(UNDERTOW_HOME),$(IN_FILE))
# As long as no live system was started here, what there is to look at is the demo's.
LOOK := $(if $(HOME_CHOSEN)$(wildcard .undertow/postgres),,$(if $(wildcard .undertow/demo),UNDERTOW_HOME=.undertow/demo))

##@ Run it
demo: install  ## Play a recorded day through the whole line and show the alert that was delivered
	@$(UNDERTOW) demo $(ARGS)

demo-retrain: install  ## After the demo: import its labels, retrain, and see the gate decide
	@$(UNDERTOW) demo --retrain

up: install  ## Start the live system on feeds.toml: Postgres, Airflow, the desk (Ctrl-C or make down stops it)
	@$(UNDERTOW) up $(ARGS)

down: install  ## Stop what up, demo or a command started; nothing is lost
	@$(UNDERTOW) down
	@[ ! -d .undertow/demo/postgres ] || UNDERTOW_HOME=.undertow/demo $(UNDERTOW) down >/dev/null

status: install  ## Say what is running and when each DAG last succeeded
	@$(LOOK) $(UNDERTOW) status

desk: install  ## Serve the analysts' web pages on loopback
	@$(LOOK) $(UNDERTOW) desk $(ARGS)

doctor: install  ## Check Python, database, model, Airflow, receivers and disk, and say how to mend them
	@$(LOOK) $(UNDERTOW) doctor

##@ Work on it
install: ## Make .venv from requirements.lock; does nothing when that is done already
	@[ -x .venv/bin/python ] && { [ ! -e .venv/place ] || (cd ./.venv && pwd -P | cmp -s - place); } \
	  && cat requirements.lock pyproject.toml | cmp -s - .venv/installed || PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" bash .ci/install

test: install  ## Run every test: unit, integration, end to end (ARGS="-k name" chooses)
	@$(BIN)/python -m pytest $(ARGS)

lint: install  ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install  ## Put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install  ## List the benchmarks; each headline number has one
	@awk 'FNR == 1 {gsub(/"""/, ""); printf "  %-27s %s\n", FILENAME, $$0; nextfile}' bench/*.py
	@echo "bench/README.md has their figures, and how each is called."

lock: install  ## Resolve pyproject.toml anew into requirements.lock
	@UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml \
	  --extra dev --extra labels --extra fulltext --python-version 3.11.0 --upgrade --quiet \
	  --constraint <(echo "$(TORCH)") --no-emit-package torch --no-emit-package triton -o requirements.lock
	@sed -i '/^\(nvidia\|cuda\)-/,/^[^ ]/{/^\(nvidia\|cuda\)-/d;/^ /d}' requirements.lock

clean: export STATE := $(or $(HOME_CHOSEN),.undertow)
clean: install  ## Remove all local state: UNDERTOW_HOME with database, Airflow and models (asks first)
	@printf '%s' "Stop the live system and remove $$STATE with its database? [y/N] "; read -r answer; [ "$$answer" = y ]
	@$(MAKE) down
	@rm -rf -- "$$STATE"

help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## *"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo demo-retrain up down status desk doctor install test lint format bench lock clean help
