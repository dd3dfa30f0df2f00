#!/usr/bin/env bash
# What is too long for CI and belongs to a release: full-size sweeps, long series, campaigns.
#   tools/release.sh [PART ...]      all parts, or the named ones (make release, make release-PART)
# A part that is finished at this commit is not repeated; one that was stopped goes on where it keeps its own results.
# Each prints its estimate first (two quiet cores, environments and caches there already, unless it says otherwise) and
# is stopped after 60 minutes. Output goes to release/COMMIT/PART.txt.
set -uo pipefail
cd "$(dirname "$0")/.."
PY=${PY:-.venv/bin/python}
LIMIT_S=3600

# name | estimate | command
PARTS='
every-framework | 30 min with environments from nothing | $PY -m pytest -q -m release tests/frameworks/test_every_framework.py --durations=5
conversion-matrix | not timed yet | $PY -m hwprof list frameworks --matrix --size 64 -o $OUT/conversion-matrix.md
precisions | not timed yet | $PY benchmarks/precisions.py
adapter-calls | not timed yet | $PY benchmarks/adapter_calls.py
outside-tools | not timed yet | $PY benchmarks/outside_tools.py -b 1 4 -r 6
boards-long | 15 min with images from nothing | HWPROF_MUST_RUN=board,board_long $PY -m pytest -q -m board_long --durations=5
statistics | not timed yet | $PY benchmarks/statistics_validation.py --draws 300
planted-answers | 15 min | $PY benchmarks/planted_answers.py --draws 200
own-cost | not timed yet | $PY benchmarks/window_edge.py && $PY benchmarks/observer.py && $PY benchmarks/startup.py
slices | 22 min | $PY benchmarks/slice_cost.py && $PY benchmarks/ten_lines.py
false-words | 20 min | $PY benchmarks/false_words.py
side-by-side | 25 min | $PY benchmarks/side_by_side.py --blocks 14 onnxruntime opencv openvino pytorch
quick-widths | 15 min | { [ -d $OUT/former ] || git worktree add --detach $OUT/former 36ad0e4; } && $PY benchmarks/quick_widths.py $OUT/former
disturbed-core | 5 min | $PY benchmarks/disturbed_core.py
modelled-caches | 1 min | $PY benchmarks/modelled_caches.py
large-report | 5 min | $PY benchmarks/report.py
known-causes | not timed yet | $PY benchmarks/known_causes.py
own-models | 15 min, and 50 MB of downloads | $PY benchmarks/own_models.py
planted-tail | 2 min | $PY benchmarks/planted_tail.py
planted-blocks | not timed yet | $PY benchmarks/planted_blocks.py --keep $OUT/planted-blocks.db
'

part() { printf '%s\n' "$PARTS" | grep "^$1 |"; }
names() { printf '%s\n' "$PARTS" | sed -n 's/ |.*//p'; }

commit=$(git describe --always --dirty --abbrev=12)
OUT=release/$commit
export HWPROF_RELEASE=$PWD/$OUT/kept HWPROF_MUST_RUN=${HWPROF_MUST_RUN:-release} PY OUT
mkdir -p "$HWPROF_RELEASE" || exit 1

[ $# -gt 0 ] || set -- $(names)
for name; do
    if [ -z "$(part "$name")" ]; then
        echo "there is no part '$name'. The parts are: $(names | tr '\n' ' ')" >&2
        exit 2
    fi
done
failed=()
for name; do
    IFS='|' read -r _ estimate command <<<"$(part "$name")"
    if [ -e "$OUT/$name.done" ]; then
        echo "== $name: finished before ($OUT/$name.txt)"
        continue
    fi
    echo "== $name: estimate:${estimate% }; at most $((LIMIT_S / 60)) min"
    began=$SECONDS code=0
    timeout --foreground --signal=INT --kill-after=60 "$LIMIT_S" bash -c "$command" 2>&1 | tee "$OUT/$name.txt" || code=$?
    echo "== $name: $((SECONDS - began)) s, exit code $code" | tee -a "$OUT/$name.txt"
    case $code in
    0) touch "$OUT/$name.done" ;;
    130) exit 130 ;;
    124) echo "== $name: stopped after $((LIMIT_S / 60)) min. Run it again: it goes on where its results are kept" && failed+=("$name") ;;
    *) failed+=("$name") ;;
    esac
done
[ ${#failed[@]} -eq 0 ] || { echo "not finished: ${failed[*]}" >&2; exit 1; }
