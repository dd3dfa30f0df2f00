"""What others get to see holds no secret, no home folder and no other program's arguments; the file keeps them."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from hwprof.cli import main, record
from hwprof.printable import encodable, printable
from hwprof.programs.recording import Recording
from hwprof.programs.samples import Frame, Sample
from hwprof.records import Case, Failure
from hwprof.store import Results
from hwprof.store.masking import Masker, is_secret
from tests.factories import make_run

GHP = "ghp_" + "0123456789abcdefghij"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
SK = "sk-" + "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("prog --password=hunter2 --batch 4", "prog --password=[hidden] --batch 4"),
        ("prog --password hunter2 --batch 4", "prog --password [hidden] --batch 4"),
        ("prog --db-password 'two words'", "prog --db-password [hidden]"),
        ("prog --api-key=k1 --token k2 --secret k1", "prog --api-key=[hidden] --token [hidden-2] --secret [hidden]"),
        ("prog --key=abc --apiKey=def", "prog --key=[hidden] --apiKey=[hidden-2]"),
        ("env GITHUB_TOKEN=a1 PGPASSWORD=b2 prog", "env GITHUB_TOKEN=[hidden] PGPASSWORD=[hidden-2] prog"),
        ("mysql -u root -pS3cret db", "mysql -u root -p[hidden] db"),
        ("sshpass -p S3cret ssh -p 22 host", "sshpass -p [hidden] ssh -p 22 host"),
        ("redis-cli -a S3cret ping", "redis-cli -a [hidden] ping"),
        ("curl -u me:S3cret https://host", "curl -u [hidden] https://host"),
        ("curl -H 'Authorization: Basic bWU6cHc='", "curl -H 'Authorization: Basic [hidden]'"),
        ("curl -H 'X-Api-Key: abc'", "curl -H 'X-Api-Key: [hidden]'"),
        (
            "curl '-HAuthorization: Bearer abc' -HX-Api-Key:d1",
            "curl '-HAuthorization: Bearer [hidden]' -HX-Api-Key:[hidden-2]",
        ),
        (
            "curl --user me:S1 --proxy-user me:S2 --user-agent x",
            "curl --user [hidden] --proxy-user [hidden-2] --user-agent x",
        ),
        (
            "docker run --env=TOKEN=abc --set=db.password=d1",
            "docker run --env=TOKEN=[hidden] --set=db.password=[hidden-2]",
        ),
        ("sh -c 'prog --token \"a b\" --size 8'", "sh -c 'prog --token [hidden] --size 8'"),
        ("bash -lc 'mysql -psecretG; curl -u me:S2 x'", "bash -lc 'mysql -p[hidden] curl -u [hidden-2] x'"),
        ("cc -I/home/alice/include -L/root/lib", "cc -I~/include -L~2/lib"),
        ("git clone https://me:pw@host/x.git", "git clone https://me:[hidden]@host/x.git"),
        ("get 'https://host/x?access_token=abc&size=4'", "get 'https://host/x?access_token=[hidden]&size=4'"),
        (f"prog {GHP} {JWT} {AWS} {SK}", "prog [hidden] [hidden-2] [hidden-3] [hidden-4]"),
        ("sh -c 'prog --token abc --size 8'", "sh -c 'prog --token [hidden] --size 8'"),
        ("sh -c 'curl -H \"Authorization: Bearer abc\"'", "sh -c 'curl -H \"Authorization: Bearer [hidden]\"'"),
        ("/home/alice/bench -m /home/alice/m.onnx", "~/bench -m ~/m.onnx"),
        ("cp /home/alice/x /home/bob/x /root/x", "cp ~/x ~2/x ~3/x"),
        ("prog --model=/nfs/home/alice/m.onnx file:///home/bob/x", "prog --model=~/m.onnx file:///~2/x"),
        ("prog 'an open quote --password=x", """prog ''"'"'an' open quote --password=[hidden]"""),
    ],
)
def test_what_looks_like_a_secret_or_a_home_folder_is_hidden(command: str, shown: str) -> None:
    assert Masker().command(command) == shown


@pytest.mark.parametrize(
    "command",
    [
        "bench --batch 4 --size 224 -p 8 -a 3 -u 2 -t 4",
        "bench --max-tokens=128 --tokens 5 --pad-token 0 --eos-token=2 --tokenizer bert --sort-key time --keys 4",
        "bench --model=/opt/models/resnet50.onnx /var/lib/x /opt/root/x /home-made/x /rooted",
        "bench --password-file secret.txt --opt-pass=fold sha256:0123456789abcdef0123456789abcdef v1.17.0+cpu",
        "docker run -p 80:80 image",
        "perf stat -e cpu/event=0x3c,umask=0x0/ -- basic operations",
        "git clone https://host:8080/x.git ssh://git@host/x",
    ],
)
def test_ordinary_words_are_left_alone(command: str) -> None:
    assert Masker().command(command) == command


@pytest.mark.parametrize("text", ["[hidden]", "prog --password=[hidden-3]", "~/bench", "~2/x"])
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert Masker().text(text) == text


def test_a_secret_that_is_known_is_hidden_wherever_it_is_printed() -> None:
    masker = Masker().learn([(("command", "prog --password hunter2"), ("attached", False))])
    assert masker.text("login with hunter2 failed") == "login with [hidden] failed"
    assert masker.text("hunter22 and ahunter2") == "hunter22 and ahunter2"


@pytest.mark.parametrize("shown", [str, encodable, printable])
def test_what_cant_be_printed_is_found_in_the_form_in_which_it_is_shown(shown: Callable[[str], str]) -> None:
    """A byte that is no UTF-8, and a line end, in a secret and among the arguments of another program."""
    ours, theirs = "prog '--password=two\udcff words\n'", "/bin/nginx -c hush\udcff"
    masker = Masker().learn([[("command", ours)], [("attached", True), ("command", theirs)]])
    assert masker.text(shown(f"{ours} beside {theirs}")) == "prog --password=[hidden] beside nginx"
    assert masker.text(shown("login with two\udcff words\n failed")) == "login with [hidden] failed"


def test_many_names_in_a_row_are_no_depth() -> None:
    assert Masker().text("a=" * 2000 + "token=abc") == "a=" * 2000 + "token=[hidden]"


def test_names_in_tables_are_texts_too() -> None:
    assert Masker().data({"prog --password=hunter2": "it failed"}) == {"prog --password=[hidden]": "it failed"}


def test_of_another_program_only_the_name_is_shown_and_two_of_them_stay_two() -> None:
    masker = Masker()
    shown = [masker.command(f"/usr/sbin/nginx -c {file}", other=True) for file in ("a", "b", "a")]
    assert shown == ["nginx", "nginx-2", "nginx"]


def test_facts_have_names_that_tell() -> None:
    told = {"api_key": "a", "env": {"HF_TOKEN": "b"}, "key": "plain", "argv": ["p", "--token", "x y"], "n": 3}
    assert Masker().data(told) == {
        "api_key": "[hidden]",
        "env": {"HF_TOKEN": "[hidden-2]"},
        "key": "plain",
        "argv": ["p", "--token", "[hidden-3]"],
        "n": 3,
    }
    assert is_secret("key")
    assert not is_secret("key", in_facts=True)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Two commands that differ in the password alone, another program, a network with a token and a failed run."""
    path = tmp_path / "r.db"
    for password in ("hunter2", "hunter3"):
        words = [
            "run",
            "--frames",
            "1",
            "--results",
            str(path),
            "--",
            "true",
            f"--password={password}",
            "/home/alice/m",
        ]
        assert main(words) == 0
    other = Case(
        "command", "nginx", "file x", 0, 1, 0, (), "unknown", (("attached", True), ("command", "/bin/nginx -c hush"))
    )
    with Results.open(path) as results:
        command = next(results.runs(kind="command"))
        import dataclasses

        attached = dataclasses.replace(command, uid="aa01", case=other, facts={**command.facts, "pid": 7})
        results.add(attached)
        for number in range(3):
            results.add(make_run(round=number, options={"env.HF_TOKEN": "hunter4"}, metrics={"cycles": 1e6}))
        log = "cannot open /home/alice/m.onnx: Authorization: Bearer hunter5"
        results.add(make_run("opencv", failure=Failure("killed", "died with hunter2", log=log)))
    return path


SECRETS = re.compile(rb"hunter\d|alice|hush|-c 'hush'")


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_file_for_others_holds_them_and_the_results_do(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["report", str(planted), "-o", str(out), "--format", "all"]) == 0
    for name, kind in (("native.csv", "native"), ("all.csv", "all"), ("all.json", "all"), ("pyperf.json", None)):
        words = ["export", str(planted), "-o", str(out / name), *(["--kind", kind] if kind else [])]
        assert main([*words, "--format", "pyperf"] if kind is None else words) == 0
    files = written(out)
    assert {"report.html", "report.md", "report.tex", "all.json", "pyperf.json"} <= set(files)
    assert {name: SECRETS.findall(data) for name, data in files.items() if SECRETS.search(data)} == {}
    assert b"--password=[hidden] ~/m" in files["report.html"]
    assert b"--password=[hidden-2] ~/m" in files["report.html"]  # two rows
    assert files["report.md"].count(b"--password=") >= 2
    runs = json.loads(files["all.json"])["runs"]
    assert len({json.dumps(run["case"]) for run in runs if run["kind"] == "command"}) == 3
    assert b"hunter2" in planted.read_bytes()


def test_they_are_shown_where_that_is_asked_for(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["report", str(planted), "-o", str(out), "--format", "html", "--unmasked"]) == 0
    assert main(["export", str(planted), "-o", str(out / "x.json"), "--unmasked"]) == 0
    assert all(b"hunter2" in data and b"alice" in data for data in written(out).values())


@pytest.mark.parametrize("form", ["--markdown", "--json"])
def test_a_comparison_for_others(form: str, planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", str(planted), str(planted), form])
    said = capsys.readouterr().out
    assert SECRETS.search(said.encode()) is None
    assert said.count("--password=") >= 2
    main(["compare", str(planted), str(planted), form, "--unmasked"])
    assert "hunter2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "pid", "what", "shown"),
    [
        (["prog", "--token", "a b"], None, "prog --token a b", "prog --token [hidden]"),
        ([], 7, "process 7: /usr/sbin/nginx -c hush", "process 7: nginx"),
        ([], None, "onnxruntime mobilenet_v2 224px b1 t1 fp32", "onnxruntime mobilenet_v2 224px b1 t1 fp32"),
    ],
)
def test_a_flame_graph(command: list[str], pid: int | None, what: str, shown: str) -> None:
    sample = Sample("prog", 5, (Frame("main", "/home/alice/lib/libx.so"), Frame("read", "/lib/libc.so")))
    found = record.mask_recording(Namespace(command=command, pid=pid), Recording(what, (sample,), 1.0))
    assert found.what == shown
    assert [frame.library for frame in found.samples[0].stack] == ["~/lib/libx.so", "/lib/libc.so"]
