"""The command line: whatever the arguments, an exit code of the four, a line and no traceback."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from click.testing import CliRunner
from hypothesis import strategies as st

from milepost.cli import main
from milepost.testing import FakeClock
from tests.fuzz.target import Answer, Target, shape
from tests.hostile import HALF_PAIRS, HOSTILE, misbehaving
from tests.integration.cli.answers import CALLS
from tests.integration.cli.story import JOB, tell

__all__ = ["COMMANDS"]

_ENDLESS: Final = ("serve", "watch")
"""Commands that go on until somebody stops them; so do some with `--follow`."""

_SLOW: Final = ("check", "traces")
"""Proofs, of which tests/integration/check tells; here they are given no file."""

_WORDS: Final = (
    JOB, "weekly-1", "nowhere", "a b", "1", "0", "-1", "99999999999999999999", "4", "1.5", "nan",
    "map", "reduce", "setup", "eu/*", "*", "[", "retry", "start", "error", "timeout", "jobs.db",
    "new.db", "new", "-", "--", "", "json:x", "postgresql://", "sqlite:///", "5m", "never", "bash",
    "prodigy", "E203", "items", "csv", "parquet", "2026-01-01", "none", "always",
)  # fmt: skip


@functools.cache
def _options() -> dict[str, list[str]]:
    context = click.Context(main)
    found = {}
    for name in sorted(main.list_commands(context)):
        command = main.get_command(context, name)
        if command is not None and name not in _ENDLESS:
            options = [option for one in command.params for option in one.opts]
            found[name] = [one for one in options if one.startswith("-") and one != "--follow"]
    return found


_hostile = st.sampled_from(sorted({*HOSTILE.values(), *HALF_PAIRS.values()} - {HOSTILE["path"]}))
_word = st.sampled_from(_WORDS) | _hostile | st.integers(-5, 2**66).map(str)


def _arguments(name: str) -> st.SearchStrategy[list[str]]:
    options = st.sampled_from([*_options()[name], "--json", "--debug", "--no-such"])
    words = st.just(JOB) | _word
    if name in _SLOW:
        words = st.just("nowhere.yaml")
    return st.lists(options | words, max_size=6).map(lambda rest: [name, *rest])


@st.composite
def _changed(draw: st.DrawFn) -> list[str]:
    """A call that is right, with a word left out, doubled or replaced."""
    words = draw(st.sampled_from(CALLS)).split()
    at = draw(st.integers(0, len(words) - 1))
    new = draw(st.sampled_from([[], [words[at]] * 2]) | st.lists(_word, min_size=1, max_size=2))
    return [*words[:at], *new, *words[at + 1 :]]


_cases = st.one_of(
    _changed(),
    st.deferred(lambda: st.sampled_from(sorted(_options())).flatmap(_arguments)),
    st.lists(_word, max_size=3),
)


@functools.cache
def _story() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="milepost-fuzz-"))
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tell(folder, FakeClock())
    return folder


@contextmanager
def _in_a_folder() -> Iterator[Path]:
    """A copy of the store, in a folder that is the current one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(_story() / "jobs.db", folder)
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def _answer(case: Any) -> Answer:
    if "--follow" in case or {*case[:1]} & {*_ENDLESS}:
        return Answer("left out", frozenset())
    clock = FakeClock()
    clock.advance(90)
    with _in_a_folder() as folder:
        env = {"MILEPOST_DB": str(folder / "jobs.db"), "HOME": str(folder)}
        done = CliRunner().invoke(main, case, obj=clock, env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 1, 2, 3), f"exit {done.exit_code}: {done.output[:300]}"
    assert "defect" not in done.stderr, done.stderr[:600]
    assert "Traceback" not in done.stderr or "--debug" in case
    assert misbehaving(done.stdout) == misbehaving(done.stderr) == []
    name = case[0] if case and case[0] in _options() else "?"
    last = done.stderr.strip().rpartition("\n")[2] if done.exit_code == 2 else ""
    last = last.replace(str(folder), "")
    return Answer(f"exit {done.exit_code}", frozenset((f"{name} {done.exit_code} {shape(last)}",)))


COMMANDS: Final = Target(name="commands", cases=_cases, answer=_answer, examples=60)
