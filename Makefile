# For developers. Users need ./run and ./test only.
PY ?= .venv/bin/python
.PHONY: check format lint types test test-frameworks test-environments test-browser test-boards release

check: lint types test ## format, lint, types, fast tests

format:
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lint:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(dir $(PY))lint-imports

types:
	$(PY) -m mypy

test:
	$(PY) -m pytest -q -n auto --dist loadfile -m "not torch and not slow and not valgrind and not environments and not release and not uv and not browser and not board and not board_long"

test-frameworks: ## needs PyTorch (and torchvision for --pretrained)
	$(PY) -m pytest -q -m torch

test-environments: ## every framework in an environment of its own, on tiny networks: gigabytes, about ten minutes
	HWPROF_MUST_RUN=environments,$(HWPROF_MUST_RUN) $(PY) -m pytest -q -m environments --durations=5

test-browser: ## the report in headless Chromium: apt-get install chromium, pip install '.[browser]'
	HWPROF_MUST_RUN=browser $(PY) -m pytest -q -m browser --durations=5

test-boards: ## riscv64 and arm64 guests with a PMU; needs tools/boards-packages.sh, gigabytes of cache and a quarter of an hour
	HWPROF_MUST_RUN=board $(PY) -m pytest -q -m "board and not board_long" --durations=5

release: ## what is too long for CI, part by part; keeps what is finished (tools/release.sh names the parts)
	PY=$(PY) tools/release.sh

release-%: ## one part of it
	PY=$(PY) tools/release.sh $*
