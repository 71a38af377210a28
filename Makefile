# `make help` lists what there is. Nothing is needed but python3 (3.11 or later) and make.

KUBECONFIG  ?=
CONTEXT     ?=
CLUSTER     ?=
REGISTRY    ?=
PROBE_IMAGE ?=
WORKERS     ?=
NODES       ?=
PROFILE     ?=
NODE_SHELL  ?=
NODE_RESTART_KUBELET ?=
NODE_RESTART_RUNTIME ?=
NODE_REBOOT ?=
PATIENCE    ?=
REPORT      ?= report
ARGS        ?=

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python

# An option for each variable that has a value, quoted for the shell.
quote   = '$(subst ','\'',$(1))'
option  = $(if $(strip $(2)),$(1)=$(call quote,$(2)))
target  = $(call option,--kubeconfig,$(KUBECONFIG)) $(call option,--context,$(CONTEXT)) $(call option,--cluster,$(CLUSTER))
options = $(target) $(call option,--registry,$(REGISTRY)) $(call option,--probe-image,$(PROBE_IMAGE)) \
          $(call option,--workers,$(WORKERS)) $(call option,--nodes,$(NODES)) $(call option,--profile,$(PROFILE)) \
          $(call option,--node-shell,$(NODE_SHELL)) $(call option,--node-restart-kubelet,$(NODE_RESTART_KUBELET)) \
          $(call option,--node-restart-runtime,$(NODE_RESTART_RUNTIME)) $(call option,--node-reboot,$(NODE_REBOOT)) \
          $(call option,--patience,$(PATIENCE)) $(call option,--report,$(REPORT))

.PHONY: help conformance list test lint images mutants clean-cluster environment

help:
	@$(PYTHON) tools/help.py

conformance: environment
	@$(RUN) -m conformance run $(options) $(ARGS)

list: environment
	@$(RUN) -m conformance list $(ARGS)

test: environment
	@$(RUN) -m pytest -n auto -m "not whole" $(ARGS)
	@$(RUN) -m pytest -m whole $(ARGS)

lint: environment
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

images: environment
	@$(RUN) -m images --out build/images $(ARGS)

mutants: environment
	@$(RUN) -m tests.mutants $(call option,--report,$(REPORT)) $(ARGS)

clean-cluster: environment
	@$(RUN) -m conformance clean $(target) $(ARGS)

environment:
	@$(PYTHON) tools/environment.py $(VENV)
