# Sourced by ./run and ./test: finds a fit Python, makes .venv, installs what is asked for, once.
# POSIX sh. -P and -I: no Python runs a file of the working directory. Sets PY to the environment's interpreter.

fail() { printf '%s\n' "$@" >&2; exit 3; }

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -P -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
        if ! "$candidate" -P -c 'import venv, ensurepip' 2>/dev/null; then
            version=$("$candidate" -P -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            fail "$candidate has no venv module. On Debian and Ubuntu:" "  apt-get install python$version-venv"
        fi
        printf '%s\n' "$candidate"
        return
    done
    fail "hwprof needs Python 3.11, 3.12 or 3.13 and found none. On Debian 12 and later, Ubuntu 24.04 and later:" \
         "  apt-get install python3 python3-venv" "Or name one: PYTHON=/path/to/python3.12 ./run"
}

# On RISC-V the package registries hold no wheels, and pip would compile numpy for hours: Debian's packages serve.
DEBIAN_PACKAGES="python3-venv python3-numpy python3-pandas python3-scipy python3-statsmodels python3-matplotlib
python3-sqlalchemy python3-onnx python3-onnxruntime python3-opencv python3-jinja2 python3-packaging python3-platformdirs
python3-shtab python3-setuptools"

check_debian_packages() { # PYTHON EXTRA; hwprof itself does without psutil, its tests don't
    tests=$([ "$2" = default ] || echo psutil)
    for module in numpy pandas scipy statsmodels matplotlib sqlalchemy onnx onnxruntime cv2 jinja2 packaging platformdirs shtab setuptools $tests; do
        "$1" -P -c "import importlib.util as u; raise SystemExit(u.find_spec('$module') is None)" ||
            fail "On riscv64 hwprof uses Debian's own Python packages; '$module' is missing:" \
                 "  apt-get install $(printf '%s' "$DEBIAN_PACKAGES${tests:+ python3-$tests}" | tr '\n' ' ')"
    done
}

install() { # tries again: downloads fail now and then
    for attempt in 1 2 3; do
        "$PY" -I -m pip install --quiet --disable-pip-version-check --no-input "$@" && return
        printf 'installing failed (attempt %s of 3)\n' "$attempt" >&2
    done
    fail "could not install: pip install $*" "Is the package registry reachable? Then run the same command again."
}

# environment EXTRA: .venv holds hwprof[EXTRA]. The stamp is written last, so a half-made one is made again.
environment() {
    extra=$1
    base=$(find_python) || exit $?
    wanted="$extra $("$base" -P -c 'import sys; print(sys.version)' | tr '\n' ' ') $(cat pyproject.toml constraints.txt | cksum) $(pwd)"
    stamp=.venv/.hwprof-$extra
    PY=.venv/bin/python
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && "$PY" -P -c 'import hwprof' 2>/dev/null; then
        return
    fi
    printf 'setting up .venv (hwprof[%s]) ...\n' "$extra" >&2
    if [ "$(uname -m)" = riscv64 ]; then
        check_debian_packages "$base" "$extra"
        [ -x "$PY" ] || "$base" -I -m venv --system-site-packages .venv
        install --no-deps --no-build-isolation -e .
        [ "$extra" = default ] || install pytest pytest-timeout pytest-xdist
    else
        # another extra of a whole environment is added to it; anything half-made or of another Python is made anew
        if ! ls .venv/.hwprof-* >/dev/null 2>&1 || ! "$PY" -P -c 'import sys' 2>/dev/null ||
            [ "$("$PY" -P -c 'import sys; print(sys.version)')" != "$("$base" -P -c 'import sys; print(sys.version)')" ]; then
            rm -rf .venv
            "$base" -I -m venv .venv || fail "could not make .venv"
        fi
        rm -f "$stamp"
        install -c constraints.txt -e ".[$extra]"
    fi
    printf '%s' "$wanted" >"$stamp"
}
