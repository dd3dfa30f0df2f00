# For developers. Users need ./run and ./test only.
PY ?= .venv/bin/python
.PHONY: check format lint types test test-frameworks bench

check: lint types test ## format, lint, types, fast tests

format:
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lint:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types:
	$(PY) -m mypy

test:
	$(PY) -m pytest -q -m "not torch and not slow"

test-frameworks: ## needs PyTorch (and torchvision for --pretrained)
	$(PY) -m pytest -q -m torch

bench: ## what hwprof itself costs; minutes
	$(PY) benchmarks/window_edge.py
	$(PY) benchmarks/observer.py
	$(PY) benchmarks/startup.py
