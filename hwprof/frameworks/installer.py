"""Python packages into a virtual environment: by uv where it is installed, else by venv and pip."""

from __future__ import annotations

import ast
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hwprof.environments.interpreters import admits, clean_environ
from hwprof.errors import CaseFailed, NotInstalled

ATTEMPTS = 3
PR_SET_PDEATHSIG = 1  # linux/prctl.h
# PyTorch's builds without CUDA; used only where it answers.
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
# uv does not read pip's configuration. pip's settings, by files or variables, are passed on under these names.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "no-cache-dir": "UV_NO_CACHE",
}


def install(
    folder: Path,
    base: str,
    requirements: Sequence[str],
    alone: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> str:
    """A virtual environment in `folder` with the requirements; `alone`: further ones, without their dependencies.

    Returns the path of its interpreter. A download that fails is tried three times; then CaseFailed.
    """
    python = str(folder / "bin/python")
    uv = shutil.which("uv")
    if uv:
        environ = uv_environ(pip_settings(base))
        call([uv, "venv", "--quiet", "--python", base, str(folder)], environ)
        # Among several indexes the best version counts, as with pip; by itself uv takes the first index that has any.
        words = [uv, "pip", "install", "--quiet", "--python", python, "--index-strategy", "unsafe-best-match"]
    else:
        environ = clean_environ(base, os.environ)
        # -I: neither a venv.py of the working directory is run, nor is a package that PYTHONPATH or the user's
        # site-packages show taken for one that the new environment has.
        call([base, "-I", "-m", "venv", str(folder)], environ)
        words = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if any(re.match(r"torch\b", r) for r in requirements) and is_reachable(CPU_WHEELS):
        words += ["--extra-index-url", CPU_WHEELS]
    for wanted in ([*requirements], ["--no-deps", *alone]):
        if wanted[-1] == "--no-deps":
            continue
        say(f"installing {' '.join(wanted)}{' by uv' if uv else ''}")
        for number in range(1, ATTEMPTS + 1):
            try:
                call([*words, *wanted], environ)
                break
            except CaseFailed:
                if number == ATTEMPTS:
                    raise
    return python


def pip_settings(base: str) -> dict[str, str]:
    """pip's settings, by files and variables, as the pip of the interpreter `base` has them; {} where it has none."""
    words = [base, "-P", "-m", "pip", "config", "list"]  # not -I: that pip may be one of `pip install --user`
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines():  # as global.find-links='/a /b', user.cert='...', :env:.cert='...'
        match = re.fullmatch(r"(?:global|user|site|install|:env:)\.([\w-]+)=('.*'|\".*\")", line.strip())
        if match:
            found[match[1]] = str(ast.literal_eval(match[2]))
    return found


def uv_environ(pip: Mapping[str, str]) -> dict[str, str]:
    """The environment with pip's settings under uv's names. uv's own variables take precedence."""
    told = {}
    for name, value in pip.items():
        if name in UV_NAMES and value:
            # lists are split by white space in pip's files; uv splits its places to find links in by commas
            told[UV_NAMES[name]] = (",".join if name == "find-links" else " ".join)(value.split())
    return {**told, **clean_environ("", os.environ)}


def is_reachable(url: str) -> bool:
    """The index can be reached from here."""
    from urllib import request

    try:
        with request.urlopen(f"{url}/", timeout=5):
            return True
    except OSError:
        return False


def call(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run an installer to its end. It ends with us, whatever ends us. Raises CaseFailed with its reason."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,  # a Ctrl-C is for this process, which cleans up after the installer
        preexec_fn=end_with_parent(),
    )
    try:
        out, err = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # not yet waited for: the number is still its own
        process.wait()
        raise
    if process.returncode != 0:
        said = [line.strip() for line in (err or out).splitlines() if line.strip()]
        full = next((line for line in said if "No space left" in line), None)
        wrong = full or next(
            (line for line in said if line.lower().startswith("error")), said[-1] if said else "no word"
        )
        raise CaseFailed(
            f"{Path(words[0]).name} failed: {wrong[:300].rstrip('.')}", "is the package index reachable, the disk full?"
        )


def end_with_parent() -> Callable[[], None]:
    """For a child, between fork and exec: the kernel ends it when this process ends, even by SIGKILL."""
    prctl, us = ctypes.CDLL(None).prctl, os.getpid()  # loaded here: a child between fork and exec should load nothing

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != us:
            os._exit(1)

    return tie


def find_python(wanted: str) -> str:
    """An interpreter of the versions wanted (as ">=3.11,<3.12"): hwprof's own if it is fit. Raises NotInstalled."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if admits(wanted, own):
        return sys.executable
    for minor in range(30, 10, -1):
        if admits(wanted, f"3.{minor}") and (path := shutil.which(f"python3.{minor}")):
            return path
    raise NotInstalled(f"a Python {wanted}", "install one, or name it with --base PATH")
