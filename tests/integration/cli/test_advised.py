"""The commands that messages advise: each runs as it stands, from any folder, on the same store."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from milepost import JobAbsent, StateManager
from milepost.cli import main
from milepost.cli.advising import reaching_words
from milepost.cli.keys import STORE
from milepost.clock import SystemClock
from milepost.testing import FakeClock
from milepost.text.commands import STORELESS, command
from tests.integration.cli.story import tell
from tests.integration.cli.test_verify import damage

NAMED: Final = "a folder/jobs.db"
"""The store as calls here name it: from their folder, with a space."""


Change: TypeAlias = Callable[[Path, FakeClock], None]

SILENT_S: Final = 90
"""How long the executor of `nightly` has been gone, but where it is said otherwise."""


def _as_told(store: Path, clock: FakeClock) -> None:
    """The story as it is."""


def _fired(event: str, payload: dict[str, Any], job: str = "nightly") -> Change:
    """The story, and then an event of a job."""

    def change(store: Path, clock: FakeClock) -> None:
        with StateManager.open(store, clock=clock) as manager:
            manager.fire(job, event, payload)

    return change


def _kept(store: Path, clock: FakeClock) -> None:
    with StateManager.open(store, clock=clock) as manager:
        manager.fire("weekly-1", "cancel", {"reason": "not wanted"})
        manager.keep("weekly-1", for_=None, reason="the audit of May")


def _torn(store: Path, _: FakeClock) -> None:
    damage(store, "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq > 7")


_OVER: Final = _fired("cancel", {"reason": "not wanted"})
_FAILED: Final = _fired("fail", {"cause": "error", "message": "no disk"})
_WAITING_FAILED: Final = _fired("fail", {"cause": "error", "message": "no disk"}, "weekly-1")

CASES: Final[dict[str, tuple[Change, str, set[str]]]] = {
    "no such job": (_as_told, "show nope", {"jobs"}),
    "no such item": (_as_told, "results nightly eu/99", {"items"}),
    "no result yet": (_as_told, "results nightly eu/7", {"plan"}),
    "no result, since it is dead": (_as_told, "results nightly eu/2", {"dead", "requeue"}),
    "no such commit": (_as_told, "changes nightly 99", {"history"}),
    "no commit so early": (_as_told, "changes nightly 2000-01-01T00:00:00Z", {"history"}),
    "left by its executor": (_as_told, "jobs --stuck", {"recover"}),
    "held by another": (_as_told, "recover nightly --apply", {"recover"}),
    "what comes next": (_as_told, "show nightly --json", {"dead", "requeue", "allow-dead"}),
    "what comes after it failed": (_FAILED, "show nightly --json", {"dead", "redo"}),
    "in a phase that does not take it": (_OVER, "pause nightly", {"show"}),
    "redone after the end": (_OVER, "redo nightly --item eu/0 --apply", {"rewind", "fork"}),
    "shown to be redone": (_OVER, "redo nightly --item eu/0", {"rewind", "fork"}),
    "to be retried": (_WAITING_FAILED, "resume weekly-1", {"retry"}),
    "to be deleted before its end": (_as_told, "delete weekly-1", {"cancel"}),
    "to be deleted and kept": (_kept, "delete weekly-1", {"keep"}),
    "a log that is torn": (_torn, "history nightly", {"verify"}),
    "no such lifecycle": (_as_told, "show nightly --lifecycle nowhere", {"lifecycles"}),
}
"""What brings the story there, the call, and the commands that are advised, these among them."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where calls are made: the folder of a folder with a space in its name."""
    monkeypatch.delenv("MILEPOST_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a folder").mkdir()
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def said(call: str, clock: FakeClock, *args: str, **environment: str) -> str:
    """All that a call says."""
    result = CliRunner().invoke(main, [*call.split(), *args], obj=clock, env=environment)
    assert "Traceback" not in result.output
    return result.output


def advised(told: str) -> list[str]:
    """The commands in what was said: those in backticks, or all that a JSON answer has."""
    try:
        found = [text for text in _texts(json.loads(told)) if text.startswith("milepost ")]
    except ValueError:
        found = []
    return found or re.findall(r"`(milepost [^`]+)`", told)


def _texts(answer: object) -> Iterator[str]:
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        for each in answer:
            yield from _texts(each)
    elif isinstance(answer, str):
        yield answer


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a command in another folder, where nothing names a store."""
    programs = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if name != "MILEPOST_DB"}
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder / "elsewhere",
        env=environment | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_what_is_advised_runs_from_anywhere(case: str, folder: Path) -> None:
    """Copied into a shell in another folder, it is right usage and finds the same store.

    The clock of the story is one that the shell's can be compared with: of a holder whose clock
    says nothing, a command would watch for half a minute whether it renews its lease.
    """
    change, call, names = CASES[case]
    clock, store = FakeClock(timeline=SystemClock().timeline()), folder / NAMED
    tell(store.parent, clock, silent_s=5 if case == "held by another" else SILENT_S)
    change(store, clock)
    lines = advised(said(call, clock, "--db", NAMED))
    assert names <= {line.split()[1] for line in lines}
    before = {path: path.read_bytes() for path in store.parent.iterdir()}
    for line in lines:
        for path, content in before.items():
            path.write_bytes(content)
        assert shlex.split(line)[-2:] == ["--db", str(store)]
        done = run(line, folder)
        assert done.returncode in (0, 1), (line, done.stderr)


def test_a_damaged_medium_is_salvaged_from_anywhere(folder: Path) -> None:
    """`salvage` takes no `--db`: the store is its first argument, by its whole path."""
    store = tell(folder / "a folder", FakeClock())
    content = bytearray(store.read_bytes())
    content[4096 * 2 : 4096 * 6] = bytes(4096 * 4)
    store.write_bytes(content)
    lines = advised(said("verify --repair", FakeClock(), "--db", NAMED))
    assert lines == [f"milepost salvage '{store}' NEW"]
    assert run(lines[0], folder).returncode in (0, 1)
    assert (folder / "elsewhere" / "NEW").exists()


def test_a_store_that_the_variable_names_is_not_named_again(folder: Path) -> None:
    """Nor one that both name, in two ways; one that only `--db` names is."""
    store = str(tell(folder / "a folder", FakeClock()))
    assert advised(said("show nope", FakeClock(), MILEPOST_DB=store)) == ["milepost jobs"]
    both = said("show nope", FakeClock(), "--db", NAMED, MILEPOST_DB=store)
    assert advised(both) == ["milepost jobs"]
    other = said("show nope", FakeClock(), "--db", NAMED, MILEPOST_DB="another.db")
    assert advised(other) == [f"milepost jobs --db '{store}'"]
    of_the_group = CliRunner().invoke(main, ["--db", NAMED, "show", "nope"]).output
    assert advised(of_the_group) == [f"milepost jobs --db '{store}'"]


def test_a_url_is_named_from_anywhere_and_without_a_password(folder: Path) -> None:
    urls = {
        "sqlite:///a%20folder/jobs.db": f"sqlite:///{folder}/a%20folder/jobs.db",
        "sqlite:///b.db?allow_network=1": f"sqlite:///{folder}/b.db?allow_network=1",
        "sqlite:////var/jobs.db": "sqlite:////var/jobs.db",
        "memory:": "memory:",
        "postgresql://me:secret@host/jobs?schema=s": "postgresql://me@host/jobs?schema=s",
    }
    for named, told in urls.items():
        assert reaching_words({STORE: named}) == ("--db", told)
    tell(folder / "a folder", FakeClock())
    (line,) = advised(said("show nope", FakeClock(), "--db", "sqlite:///a%20folder/jobs.db"))
    assert run(line, folder).returncode == 0


def test_code_that_opens_a_store_is_advised_without_it(folder: Path) -> None:
    """It has no `--db`; and no call leaves its store behind for what comes after it."""
    store = tell(folder / "a folder", FakeClock())
    said("show nope", FakeClock(), "--db", NAMED)
    with StateManager.open(store) as manager, pytest.raises(JobAbsent) as refused:
        manager.get_state("nope")
    assert advised(str(refused.value)) == ["milepost jobs"]


def test_pages_that_are_served_show_no_path(folder: Path) -> None:
    """What `milepost serve` shows is for people elsewhere: no command in it names the store."""
    tell(folder / "a folder", FakeClock())
    shown: list[str] = []

    def served(*_: object, **__: object) -> None:
        shown.append(command("jobs"))

    with mock.patch("milepost.web.serving.run", served):
        said("serve --port 0", FakeClock(), "--db", NAMED)
    assert shown == ["milepost jobs"]


def test_the_commands_without_a_store_are_those() -> None:
    """`--db` is added to a command if, and only if, it takes one."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    without = {
        name
        for name, each in commands.items()
        if each and not any("--db" in option.opts for option in each.params)
    }
    assert without == STORELESS
