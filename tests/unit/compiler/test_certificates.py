"""A certificate says what steps need not look at, of the very definition that it was made of."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from milepost.machine import InvariantBroken, Machine
from milepost_codegen.certificate import SCHEMA, proved_invariants, read
from milepost_codegen.cli import compile_command
from milepost_codegen.compiler import compile_definition
from milepost_codegen.digest import digest_of_meaning

Run = Callable[..., Result]
_NUMBERS = itertools.count()

TASKS = """\
lifecycle: tasks
version: 1
machines:
  task:
    initial: open
    states: {open: {}, closed: {final: true}}
    context: {tried: {type: int, initial: 0}, most: {type: int, param: true, default: 2}}
    events: {attempt: {}, close: {}}
    transitions:
      - {from: open, on: attempt, to: open, set: {tried: tried + 1}}
      - {from: open, on: close, to: closed}
    invariants:
      counted: {holds: tried >= 0}
      bounded: {holds: tried <= most}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the compiler in a project that keeps a certificate, which is not there yet."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.milepost]\nlifecycles = ["
        "{ source = 'tasks.yaml', python = 'made', certificate = 'tasks.json' }]\n"
    )
    (tmp_path / "tasks.yaml").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(compile_command, arguments)


def certificate(**changes: Any) -> dict[str, Any]:
    """One of TASKS that proves `counted` and leaves `bounded` open."""
    lifecycle = compile_definition(TASKS.encode(), "tasks.yaml").lifecycle

    def obligation(name: str, verdict: str) -> dict[str, Any]:
        key = f"task.invariant.{name}"
        about = {"key": key, "kind": "invariant", "machine": "task", "subject": name}
        return about | {"verdict": verdict, "method": "induction", "lemmas": []}

    whole = {
        "schema": SCHEMA,
        "lifecycle": "tasks",
        "version": 1,
        "digest": digest_of_meaning(lifecycle),
        "code": {"tasks.py": "0" * 24},
        "solver": "",
        "obligations": [obligation("counted", "proved"), obligation("bounded", "undetermined")],
    }
    return whole | changes


def put(**changes: Any) -> None:
    Path("tasks.json").write_text(json.dumps(certificate(**changes)))


def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tasks_{next(_NUMBERS)}", "made/tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def table() -> Machine:
    machine = made().TASK
    assert isinstance(machine, Machine)
    return machine


def test_what_is_proved_is_left_out_of_steps(run: Run) -> None:
    """The table says what is looked at, and by which file; the check of the files agrees."""
    put()
    done = run()
    assert (done.exit_code, "W901" in done.stderr) == (0, False)
    module = made()
    assert module.TASK.enforced == ("bounded",)
    assert module.LIFECYCLE.certificate == "tasks.json"
    assert run("--check").exit_code == 0
    below = {**module.TASK.context(), "tried": -1}
    assert module.TASK.step("open", "close", below, {}).state == "closed"
    with pytest.raises(InvariantBroken, match="bounded"):
        module.TASK.step("open", "attempt", {**below, "tried": 2}, {})


def test_a_context_that_is_given_is_checked_whatever_is_proved(run: Run) -> None:
    """A proof is of runs, and nobody knows of such a context that one led there."""
    put()
    assert run().exit_code == 0
    module = made()
    with pytest.raises(InvariantBroken, match="counted"):
        module.task_of("open", {**module.TASK.context(), "tried": -1})
    with pytest.raises(InvariantBroken, match="bounded"):
        module.task_new(most=-1)


def test_typed_steps_cost_nothing_where_all_is_proved(run: Run) -> None:
    """The methods are the same as those of a definition without invariants."""
    whole = certificate()
    for one in whole["obligations"]:
        one["verdict"] = "proved"
    put(obligations=whole["obligations"])
    assert run().exit_code == 0
    text = Path("made/tasks.py").read_text()
    assert table().enforced == ()
    assert ".kept(" not in text
    assert table().watched == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"digest": "0" * 32}, "was made before the definition was changed last"),
        ({"version": 2}, "is of version 2, and this is version 1"),
        ({"lifecycle": "others"}, "is of the lifecycle 'others'"),
    ],
)
def test_one_of_something_else_proves_nothing(run: Run, changes: dict[str, Any], told: str) -> None:
    put(**changes)
    done = run()
    assert done.exit_code == 0
    assert f"tasks.json:1:1: W901 the certificate {told}" in done.stderr
    assert table().enforced == ("counted", "bounded")
    found = json.loads(run("--check", "--json").stdout)["findings"]
    assert [(one["code"], one["severity"]) for one in found] == [("W901", "warning")]


def test_a_definition_that_changed_leaves_its_certificate_behind(run: Run) -> None:
    """What was committed with it is out of date then, too."""
    put()
    assert run().exit_code == 0
    source = Path("tasks.yaml")
    source.write_text(TASKS.replace("tried + 1", "tried - 1"))
    done = run("--check")
    assert done.exit_code == 1
    assert "W901" in done.stderr
    assert "E902" in done.stderr
    assert run().exit_code == 0
    assert table().enforced == ("counted", "bounded")


def test_one_that_is_not_there_yet_is_told(run: Run) -> None:
    done = run()
    assert done.exit_code == 0
    assert "W901 there is no such certificate" in done.stderr
    assert table().enforced == ("counted", "bounded")


def test_the_module_depends_on_what_is_proved_alone(run: Run) -> None:
    """Or a certificate that has the digest of the module could not be written."""
    put()
    assert run().exit_code == 0
    before = Path("made/tasks.py").read_bytes()
    put(code={"tasks.py": "f" * 24}, solver="z3 5")
    assert run("--check").exit_code == 0
    assert run().exit_code == 0
    assert Path("made/tasks.py").read_bytes() == before
    whole = certificate()
    whole["obligations"][0]["verdict"] = "refuted"
    put(obligations=whole["obligations"])
    assert "or by another tasks.json" in run("--check").stderr


def test_a_verdict_that_is_given_twice_must_be_the_same(tmp_path: Path) -> None:
    """A second obligation of one invariant that is not proved counts, and unknown names do not."""
    lifecycle = compile_definition(TASKS.encode(), "tasks.yaml").lifecycle
    whole = certificate()
    twice = [{**whole["obligations"][0], "verdict": "undetermined"}]
    elsewhere = [{**whole["obligations"][0], "subject": "unheard_of"}]
    for more, wanted in ((twice, set()), (elsewhere, {("task", "counted")})):
        path = tmp_path / "tasks.json"
        document = certificate(obligations=[*whole["obligations"], *more])
        path.write_text(json.dumps(document))
        assert proved_invariants(read(path), lifecycle) == wanted


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[" * 200_000, "it is no JSON"),
        (b"[]", "a certificate is [], no mapping"),
        (b"{}", "its schema is None, not milepost.certificate/1"),
        (json.dumps({"schema": SCHEMA}).encode(), "'lifecycle' of a certificate is None, no text"),
        (json.dumps(certificate(version=True)).encode(), "'version' of a certificate is True"),
        (json.dumps(certificate(obligations={})).encode(), "'obligations' is {}, no list"),
        (json.dumps(certificate(obligations=[{"key": 1}])).encode(), "'key' of an obligation is 1"),
        (json.dumps(certificate(code={"a\x1b": 1})).encode(), "of 'code' is 1, no text"),
        (
            json.dumps(certificate()).replace("undetermined", 'no", "verdict": "proved').encode(),
            "it has the key 'verdict' twice in one object",
        ),
    ],
)
def test_what_is_no_certificate_is_refused(run: Run, content: bytes, told: str) -> None:
    """Exit 2, one printable line, and nothing is written."""
    Path("tasks.json").write_bytes(content)
    done = run()
    assert done.exit_code == 2
    assert told in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("made").exists()


def test_one_without_end_is_not_read_to_its_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milepost_codegen.certificate._MOST_BYTES", 100)
    put()
    done = run()
    assert (done.exit_code, "more than 100 bytes" in done.stderr) == (2, True)
