"""Runs of owners: their members one by one on the generated code, in programs and in drawings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.python import emit_python
from tests.integration.check.test_command import given, of_key, rechecked, run

BATCH = """\
lifecycle: batches
version: 1
machines:
  part:
    initial: waiting
    states: {waiting: {}, busy: {}, done: {final: true}}
    context:
      tries: {type: int, initial: 0}
      most:  {type: int, param: true, where: "1 <= most and most <= 9", default: 2}
    events: {begin: {}, finish: {payload: {size: {type: int}}}, drop: {}}
    guards:
      left: tries < most
    transitions:
      - {from: waiting, on: begin, to: busy, set: {tries: tries + 1}}
      - {from: busy, on: finish, to: done, when: event.size >= 3, partial: true}
      - {from: busy, on: drop, to: waiting, when: left, partial: true}
    invariants:
      few: {holds: tries <= most}
      some: {in: waiting, holds: tries < most}
  batch:
    initial: open
    states: {open: {}, closed: {final: true}, stopped: {final: true}}
    collections:
      parts: {machine: part, accepts: {open: [begin, finish]}}
    events: {close: {}, stop: {}}
    transitions:
      - {from: open, on: close, to: closed, when: parts.done >= 1, partial: true}
      - {from: open, on: stop, to: stopped, members: {parts: {busy: drop}}}
    invariants:
      all_done: {in: closed, holds: parts.waiting + parts.busy == 0}
"""
KEYS = ("batch.invariant.all_done", "batch.members.open.stop.parts.busy")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given(BATCH)


def test_members_are_told_one_by_one() -> None:
    result = run("given.yaml")
    assert result.exit_code == 1, result.output
    assert all(f"refuted {key}:" in result.stdout for key in KEYS)
    assert "parts[1]: begin" in result.stdout
    assert "parts[1]: finish(size=3)" in result.stdout
    assert "defect" not in result.stdout


@pytest.mark.parametrize("key", KEYS)
def test_a_program_with_members_runs(key: str) -> None:
    given(run("given.yaml", "--snippet", key).stdout, "shows.py")
    given(emit_python(compile_definition(BATCH.encode(), "x").lifecycle), "batches.py")
    done = subprocess.run([sys.executable, "shows.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "parts[1]: begin" in done.stdout


def test_both_machines_are_drawn() -> None:
    run("given.yaml", "--svg", "drawn")
    names = {path.name for path in Path("drawn").iterdir()}
    for key in KEYS:
        assert {f"batches.{key}.svg", f"batches.{key}.part.svg"} <= names
    drawn = Path(f"drawn/batches.{KEYS[0]}.part.dot").read_text(encoding="utf-8")
    assert "begin &#215;1" in drawn


def test_a_certificate_replays_members() -> None:
    """Also that of a proof for any number of them; with another payload the run is none."""
    mended = BATCH.replace("parts.done >= 1", "parts.done == parts.total").replace(
        "when: left, partial: true}",
        "when: left}\n      - {from: busy, on: drop, to: done, when: otherwise}",
    )
    assert run("given.yaml", "--certificate", "given.json").exit_code == 1
    document = json.loads(Path("given.json").read_text(encoding="utf-8"))
    told = json.loads(rechecked(document, "--json").stdout)["rechecks"][0]
    assert (told["misfits"], told["lost"], told["open"]) == ([], [], [])
    assert set(KEYS) <= set(told["confirmed"]["refuted"])
    steps = of_key(document, KEYS[0])["run"]["steps"]
    next(step for step in steps if step["payload"])["payload"]["size"] = 1
    assert f"not confirmed {KEYS[0]}" in rechecked(document).stdout
    given(mended)
    assert run("given.yaml", "--certificate", "mended.json").exit_code in (0, 1)
    proved = json.loads(Path("mended.json").read_text(encoding="utf-8"))
    assert of_key(proved, KEYS[0])["verdict"] == "proved"
