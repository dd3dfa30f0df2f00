"""`hwprof`, `hwprof help` and the completion of shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.cli.commands import COMMANDS, QUESTIONS, SHELLS


@pytest.mark.parametrize("words", ["", "help", "--help", "-h", "help help"])
def test_the_overview_has_every_command_under_its_question(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for question, group in QUESTIONS.items():
        at = lines.index(f"{question}:")
        assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(group)]] == list(group)
    assert any(line.startswith("hwprof help COMMAND") for line in lines)


@pytest.mark.parametrize("words", [*COMMANDS, "list networks", "list cases"])
def test_help_of_a_command_is_its_own_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for call in (["help", *words.split()], [*words.split(), "--help"]):
        with pytest.raises(SystemExit) as end:
            main(call)
        assert end.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert said[0].startswith(f"usage: hwprof {words}")


def test_help_of_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "swep"]) == 2
    assert "Unknown command 'swep'. Did you mean sweep" in capsys.readouterr().err


def test_options_without_a_command_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--json"])
    assert end.value.code == 2
    assert "`hwprof --help` lists the options" in capsys.readouterr().err


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["--print-completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_knows_commands_options_and_names(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in ("sweep", "experiments", "--scaling", "onnxruntime", "mobilenet_v2", "every-framework"):
        assert word.lstrip("-") in text
    assert "bottlenecks" not in text


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hwprof swe", {"sweep"}),
        ("hwprof list exp", {"experiments"}),
        ("hwprof run -f onnx", {"onnxruntime"}),
        ("hwprof run -n mobilenet_v2", {"mobilenet_v2"}),
        ("hwprof tune --sc", {"--scaling"}),
        ("hwprof sweep tas", {"tasks"}),
        ("hwprof export ma", {"mark.db"}),
    ],
)
def test_bash_completes(line: str, found: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bash = shutil.which("bash")
    assert bash is not None, "hwprof's own ./run needs no bash, its tests do"
    (tmp_path / "mark.db").touch()
    (tmp_path / "completion").write_text(script("bash", capsys))
    program = (
        'source ./completion; words=($1); COMP_WORDS=("${words[@]}"); COMP_CWORD=$((${#words[@]} - 1));'
        '_shtab_hwprof; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", program, "bash", line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == found


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_read_their_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    path = tmp_path / "completion"
    path.write_text(script(shell, capsys))
    words = [program, "-n", str(path)]
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0


def test_without_shtab_it_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 3
    assert "shtab is not installed. pip install shtab" in capsys.readouterr().err


def test_the_start_of_a_command_loads_no_other_command() -> None:
    program = (
        "import sys\nfrom hwprof.cli import main\n"
        "try: main(['run', '--help'])\nexcept SystemExit: pass\n"
        "print('loaded', *(m for m in sys.modules if m.startswith('hwprof.cli') or m in ('shtab', 'numpy', 'pandas')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded")]
    loaded = {word.removeprefix("hwprof.cli").removeprefix(".") for word in line.split()[1:]}
    assert not {"shtab", "pandas", "sweep", "list_", "completion"} & loaded
    assert "run" in loaded
