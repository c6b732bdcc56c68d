"""The generated module: what it does, how it is written, and that it is the same everywhere."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from milepost.machine import (
    ContextInvalid,
    InvariantBroken,
    Machine,
    MemberEvent,
    Payload,
    TransitionRefused,
)
from milepost_codegen.compiler import compile_definition
from milepost_codegen.digest import digest_of_meaning

from .lifecycles import RICH, ROOT, SMALL, load

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load(RICH, tmp_path_factory.mktemp("rich"))


def test_rows_are_expanded_and_named(rich: ModuleType) -> None:
    """One transition per source, event and target; ids by pair unless given."""
    machine = rich.BATCH
    ids = [one.id for one in machine.transitions]
    assert ids[:3] == ["begin", "idle.begin.2", "busy.work"]
    assert [one.id for one in machine.of_pair("away", "resume")] == [
        "away.resume.1",
        "away.resume.2",
        "away.resume.3",
    ]
    assert [
        one.source for one in machine.transitions if one.event == "close" and not one.ignored
    ] == [
        "idle",
        "busy",
        "hot",
        "away",
    ]
    assert [one.id for one in machine.transitions if one.ignored] == [
        "broken.rest",
        "broken.close",
        "closed.rest",
        "closed.close",
    ]


def test_initial_context_holds_counts_and_histories(rich: ModuleType) -> None:
    """Members are counted from 0; a history begins at its default."""
    context = rich.batch_context(limit=3)
    assert context["parts.open"] == context["parts.done"] == context["parts.total"] == 0
    assert context["history.working"] == "busy"
    assert context["level"] == "low"


def test_parameters_are_checked(rich: ModuleType) -> None:
    """`where` and the type decide what a machine can be created with."""
    for wrong in (0, 50, 101, True):
        with pytest.raises(ContextInvalid):
            rich.batch_context(limit=wrong)
    with pytest.raises(ContextInvalid):
        rich.BATCH.context()


def test_leaving_a_group_is_remembered_and_resumed(rich: ModuleType) -> None:
    """The history is set by the row that leaves, and decides the target."""
    machine = rich.BATCH
    context = dict(rich.batch_context(limit=3), mode="open", ready=True, level="high", count=2)
    context |= {"parts.total": 1}
    away = machine.step("hot", "rest", context, {})
    assert (away.state, away.context["history.working"]) == ("away", "hot")
    back = machine.step("away", "resume", away.context, {})
    assert (back.state, back.transition) == ("hot", "away.resume.3")


def test_assignments_read_the_values_before(rich: ModuleType) -> None:
    """`set` assigns all at once."""
    machine = rich.BATCH
    payload = machine.payload("begin", rich.BatchBegin(mode=rich.Mode.SLOW, urgent=True))
    step = machine.step("idle", "begin", rich.batch_context(limit=3), payload)
    assert step.transition == "begin"
    assert (step.context["mode"], step.context["ready"], step.context["count"]) == (
        "fast",
        False,
        1,
    )


def test_otherwise_is_the_negation_of_the_others(rich: ModuleType) -> None:
    """Its text is readable, and it takes what the others refuse."""
    machine = rich.BATCH
    first, other = machine.of_pair("idle", "begin")
    assert other.guard == f"not ({first.guard})" == "not (event.urgent or few)"
    assert other.reads == ("event.urgent", "count", "limit")
    assert other.guards == ("few",)
    assert other.uses_payload
    context = dict(rich.batch_context(limit=3), count=3)
    payload = machine.payload("begin", {"mode": "slow"})
    assert machine.step("idle", "begin", context, payload).state == "hot"


def test_members_take_events_with_their_owner(rich: ModuleType) -> None:
    """The step lists what members are sent."""
    step = rich.BATCH.step("idle", "close", rich.batch_context(limit=3), {})
    assert step.members == (MemberEvent("parts", "open", "finish"),)


def test_what_no_row_takes_is_refused_and_what_is_ignored_changes_nothing(rich: ModuleType) -> None:
    """Refusals name what is allowed; ignored events are steps."""
    context = rich.batch_context(limit=3)
    with pytest.raises(TransitionRefused) as caught:
        rich.BATCH.step("closed", "begin", context, {})
    assert caught.value.allowed == ("rest", "close")
    step = rich.BATCH.step("closed", "rest", context, {})
    assert (step.state, step.context, step.transition) == ("closed", context, "closed.rest")


def test_payload_classes_name_their_event(rich: ModuleType) -> None:
    """A payload's dataclass is a `Payload`, with defaults of its own."""
    work: Payload = rich.BatchWork(steps=2)
    assert work.event == "work"
    assert rich.BATCH.payload("work", work) == {
        "steps": 2,
        "data": {"a": [1, {"b": "text"}], "c": None},
    }
    assert rich.BatchWork(steps=1).data is not rich.BatchWork(steps=1).data


def test_invariants_and_guards_are_functions(rich: ModuleType) -> None:
    """They answer for a state and a context."""
    context = dict(rich.batch_context(limit=3), count=-1)
    assert rich.BATCH.invariants["bounded"]("idle", context) is False
    assert rich.BATCH.invariants["in_mode"]("idle", context) is True
    assert rich.batch_few(context) is True


def test_the_digest_is_of_the_meaning() -> None:
    """Docs and layout leave it alone; everything that jobs notice changes it."""
    plain = digest_of_meaning(compile_definition(SMALL.encode(), "a.yaml").lifecycle)

    def digest(text: str) -> str:
        return digest_of_meaning(compile_definition(text.encode(), "b.yaml").lifecycle)

    assert digest(SMALL.replace("To be done", "Other words")) == plain
    assert digest("# remark\n" + SMALL.replace("close: {}", "close:   {doc: End}")) == plain
    for changed in (
        SMALL.replace("version: 1", "version: 2"),
        SMALL.replace("{from: open", "{id: end, from: open"),
        SMALL.replace("close: {}", "close: {payload: {why: {type: str}}}"),
        SMALL + "    ignored:\n      - {in: closed, on: close}\n",
    ):
        assert digest(changed) != plain


@pytest.mark.parametrize("text", [SMALL, RICH], ids=["small", "rich"])
def test_the_module_is_clean(text: str, tmp_path: Path) -> None:
    """`ruff format` and `ruff check` with the project's settings have nothing to say."""
    load(text, tmp_path)
    options = ["--config", ROOT / "pyproject.toml", "--no-cache"]
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [BIN / "ruff", *command, *options, tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_lifecycle_may_be_tiny(tmp_path: Path) -> None:
    """One state, no event: the module still imports and is clean."""
    machines = "{lamp: {initial: off, states: {off: {final: true}}}}"
    text = f"lifecycle: tiny\nversion: 1\nmachines: {machines}\n"
    machine = load(text, tmp_path).LAMP
    assert machine.events == machine.transitions == ()
    test_the_module_is_clean(text, tmp_path)


def test_the_formatter_would_object(tmp_path: Path) -> None:
    """The judge of the module's form can say no."""
    (tmp_path / "wrong.py").write_text("x=1\n")
    with pytest.raises(AssertionError):
        test_the_module_is_clean(SMALL, tmp_path)


def test_the_module_is_strictly_typed(tmp_path: Path) -> None:
    """`mypy --strict` accepts the module, and sees a wrong payload."""
    load(RICH, tmp_path)
    (module,) = tmp_path.glob("*.py")
    use = tmp_path / "use.py"
    use.write_text(f"from {module.stem} import BatchWork\nBatchWork(steps='two')\n")
    command = [
        BIN / "mypy",
        "--strict",
        "--python-version",
        "3.11",
        "--cache-dir",
        tmp_path / "cache",
    ]
    done = subprocess.run(
        [*command, module, use],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{ROOT / 'src'}"},
    )
    assert done.stdout.count("error:") == 1, done.stdout
    assert 'Argument "steps"' in done.stdout


def test_outputs_are_the_same_bytes_everywhere(tmp_path: Path) -> None:
    """Neither hash seed, nor locale, nor working directory, nor time zone shows."""
    (tmp_path / "rich.yaml").write_text(RICH, encoding="utf-8")
    made: list[dict[str, bytes]] = []
    for number, (seed, locale, folder) in enumerate(
        [("0", "C", tmp_path), ("12345", "C.UTF-8", Path("/")), ("7", "POSIX", tmp_path)]
    ):
        out = tmp_path / f"out{number}"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "milepost_codegen",
                "compile",
                tmp_path / "rich.yaml",
                "--out",
                out,
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONHASHSEED": seed,
                "LC_ALL": locale,
                "TZ": f"X{number}",
            },
        )
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert len(made[0]) == 8
    assert made[0] == made[1] == made[2]


def test_tables_of_an_older_compiler_are_enforced_too(rich: ModuleType) -> None:
    """They have no more of an invariant than its name and its function: no source, no states."""
    given = {one.name: getattr(rich.BATCH, one.name) for one in fields(Machine) if one.init}
    del given["invariant_specs"], given["enforced"]
    older = Machine(**given)
    assert older.enforced == rich.BATCH.enforced == tuple(rich.BATCH.invariants)
    context = {**older.context(limit=3), "count": -1}
    state = older.initial
    with pytest.raises(InvariantBroken) as caught:
        older.check(state, context)
    with pytest.raises(InvariantBroken) as now:
        rich.BATCH.check(state, context)
    assert caught.value.invariant == now.value.invariant
    assert (caught.value.holds, caught.value.values) == ("", {})
    assert now.value.holds
    assert "does not hold in" in str(caught.value)
