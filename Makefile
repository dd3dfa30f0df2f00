# For developers. Users need ./run and ./test only.
PY ?= .venv/bin/python
.PHONY: check format lint types test test-frameworks test-environments test-browser test-boards test-boards-long bench bench-outside bench-precisions

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
	$(PY) -m pytest -q -m "not torch and not slow and not environments and not uv and not browser and not board and not board_long"

test-frameworks: ## needs PyTorch (and torchvision for --pretrained)
	$(PY) -m pytest -q -m torch

test-environments: ## every framework in an environment of its own, swept at full size: gigabytes, tens of minutes
	HWPROF_MUST_RUN=environments $(PY) -m pytest -q -m environments --durations=5

test-browser: ## the report in headless Chromium: apt-get install chromium, pip install '.[browser]'
	HWPROF_MUST_RUN=browser $(PY) -m pytest -q -m browser --durations=5

test-boards: ## riscv64 and arm64 guests with a PMU; needs tools/boards-packages.sh, gigabytes of cache and a quarter of an hour
	HWPROF_MUST_RUN=board $(PY) -m pytest -q -m "board and not board_long" --durations=5

test-boards-long: ## PyTorch and OpenCV on riscv64
	HWPROF_MUST_RUN=board,board_long $(PY) -m pytest -q -m board_long --durations=5

bench: ## what hwprof itself costs; minutes
	$(PY) benchmarks/window_edge.py
	$(PY) benchmarks/observer.py
	$(PY) benchmarks/startup.py
	$(PY) benchmarks/report.py
	$(PY) benchmarks/known_causes.py

bench-outside: ## beside the frameworks' own benchmark programs, in their environments (hwprof env create openvino litert tensorflow)
	$(PY) benchmarks/outside_tools.py -b 1 4

bench-precisions: ## INT8 beside FP32 in every framework (hwprof env create openvino litert tensorflow executorch pytorch); the first time converts
	$(PY) benchmarks/precisions.py
