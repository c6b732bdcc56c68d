"""Versions of the job lifecycle, made from the first of the project, compiled as users do."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from click.testing import CliRunner

from milepost.machine import Lifecycle
from milepost_codegen.cli import compile_command

DEFINITION = Path(__file__).parents[3] / "lifecycles/mapreduce-1.yaml"
FIRST = DEFINITION.read_text(encoding="utf-8").split("\n", 1)[1]


def edited(text: str, *edits: tuple[str, str]) -> str:
    """`text` with each of the edits made; one that finds nothing is a mistake in the test."""
    for before, after in edits:
        assert before in text, f"{before!r} is not in the definition"
        text = text.replace(before, after)
    return text


SECOND = edited(FIRST, ("version: 1", "version: 2"))

COMPATIBLE = edited(
    SECOND,
    ("    groups:\n", "      parked: {doc: Put off by hand}\n    groups:\n"),
    (
        "      max_dead:   {",
        "      priority: {type: int, param: true, default: 5}\n      max_dead:   {",
    ),
    ("      pause:         {", "      park: {doc: Put off}\n      pause:         {"),
    (
        "      - {from: paused, on: resume,",
        (
            "      - {from: setup, on: park, to: parked, when: priority < 5, partial: true}\n"
            "      - {from: parked, on: resume, to: setup}\n"
            "      - {from: parked, on: cancel, to: cancelled,"
            " members: {items: {pending: skip, running: skip, failed: skip}}}\n"
            "      - {from: paused, on: resume,"
        ),
    ),
)
"""Version 2 with another state, event and parameter: nothing stored is touched by it."""

MIGRATED = edited(
    SECOND,
    (
        "enums:\n",
        (
            "migrations:\n  - from: 1\n    context:\n      job: {notes: max_dead + 1}\n"
            "      item: {tries_left: max_attempts - attempts}\n\nenums:\n"
        ),
    ),
    ("setup:     {doc", "preparing: {was: setup, doc"),
    ("initial: setup\n    states", "initial: preparing\n    states"),
    ("active: [setup,", "active: [preparing,"),
    ("from: setup,", "from: preparing,"),
    ("on: recover, to: setup", "on: recover, to: preparing"),
    ("on: set_variables, to: setup", "on: set_variables, to: preparing"),
    ("to: setup, when: failed_in", "to: preparing, when: failed_in"),
    ("phases: {setup:", "phases: {preparing:"),
    ("      failed_in:  {", "      notes: {type: int, initial: 0}\n      failed_in:  {"),
    ("      max_attempts: {", "      tries_left: {type: int, initial: 0}\n      max_attempts: {"),
    ("      few_dead_at_the_end:", "      noted: {holds: notes >= 0}\n      few_dead_at_the_end:"),
    (
        "      attempt_counted:",
        "      tries_counted: {holds: tries_left >= 0}\n      attempt_counted:",
    ),
)
"""Version 2 with a state renamed and variables that the migration works out from the old ones."""

REFUSED = edited(MIGRATED, ("{notes: max_dead + 1}", "{notes: max_dead - 1}"))
"""As MIGRATED, but the values that it gives break an invariant where `max_dead` is 0."""

RENAMED_EVENTS = {"start": "begin", "succeed": "finish", "fail": "miss", "interrupt": "drop"}
RENAMED = re.sub(
    rf"\b({'|'.join(RENAMED_EVENTS)})\b(?!ed)",
    lambda found: RENAMED_EVENTS[found[0]],
    edited(
        SECOND,
        ("payload: {result: {type: json}}", "payload: {answer: {type: json, was: result}}"),
        ("result: succeed.result", "result: succeed.answer"),
        ("result: finish_reduce.result", "result: finish_reduce.answer"),
    ),
)
for _old, _new in RENAMED_EVENTS.items():
    RENAMED = re.sub(rf"(?m)^(      {_new}: +{{)", rf"\1was: {_old}, ", RENAMED)
"""Version 2 with the events of attempts, and a field of one, under other names."""

BREAKING = edited(
    SECOND,
    ("      paused:    {doc: Stopped on purpose; resumes in the phase that was left}\n", ""),
    ("          paused: [succeed, fail, release, skip]\n", ""),
    ("      - {from: active, on: pause, to: paused}\n", ""),
    ("      - {from: paused, on: resume, to: {history: active}}\n", ""),
    ("from: [active, paused, failed]", "from: [active, failed]"),
    ("      - {from: paused, on: set_variables, to: paused}\n", ""),
    ("      pause:         {doc: Stop for a while}\n", ""),
    ("      resume:        {doc: Go on in the phase that was left}\n", ""),
    (
        "      pause: pause\n      resume: {paused: resume, failed: retry}",
        "      resume: {failed: retry}",
    ),
    ("    groups:\n      active: [setup, map, reduce]\n", ""),
    ("from: [active, failed]", "from: [setup, map, reduce, failed]"),
)
"""Version 2 without pausing, and without a word about jobs that are paused."""


@dataclass(frozen=True)
class Version:
    """A compiled version, and the tables of the first one that were compiled beside it."""

    lifecycle: Lifecycle
    first: Lifecycle


@cache
def compiled(text: str) -> Version:
    """`text` compiled with the first version as an earlier one."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "first.yaml").write_text(FIRST, encoding="utf-8")
        (home / "now.yaml").write_text(text, encoding="utf-8")
        arguments = [str(home / "now.yaml"), "--out", folder, "--earlier", str(home / "first.yaml")]
        done = CliRunner().invoke(compile_command, arguments)
        assert done.exit_code == 0, done.output
        now, first = (_module(home / f"mapreduce{end}.py") for end in ("", "_v1"))
    return Version(lifecycle=now.LIFECYCLE, first=first.LIFECYCLE)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"upgrades_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module
