"""The traces of a definition: a run to every row, every pair of rows, every condition both ways."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from milepost.text.commands import command

__all__ = ["TracesAbsent", "traces_of"]

_SCHEMA: Final = "milepost.traces/1"
_ODD: Final = 1  # from this exit code on it is no list of traces, but for 3: something is unknown
_UNKNOWN: Final = 3


class TracesAbsent(Exception):
    """There are no traces of the definition; it says why."""


def traces_of(
    definition: Path, kept: Path | None, *, lifecycle: str, digest: str
) -> Sequence[Mapping[str, Any]]:
    """The traces in the file `kept`, or those that `milepost traces` finds.

    What it finds is kept by the digest of the definition and of its own version, in the folder
    MILEPOST_TRACES, or in `milepost-traces` among the user's cached files. Raises TracesAbsent if
    they are of another definition, or there are none.
    """
    told = json.loads(kept.read_text(encoding="utf-8")) if kept else _found(definition, lifecycle)
    if told.get("schema") != _SCHEMA:
        raise TracesAbsent(f"{kept}: its schema is {told.get('schema')!r}, not {_SCHEMA!r}")
    for one in told["lifecycles"]:
        if (one["lifecycle"], one["digest"]) == (lifecycle, digest):
            traces: Sequence[Mapping[str, Any]] = one["traces"]
            return traces
    raise TracesAbsent(
        f"{kept or definition} is not what the module of '{lifecycle}' was compiled from (digest"
        f" {digest}): compile it again, and make kept traces anew with"
        f" `{command('traces', definition, '--json')}`"
    )


def _found(definition: Path, lifecycle: str) -> dict[str, Any]:
    text = definition.read_bytes()
    name = hashlib.blake2b(text + _version().encode(), digest_size=16).hexdigest()
    file = _folder() / f"{name}.json"
    if not file.exists():
        asked = [sys.executable, "-m", "milepost", "traces", str(definition), "--json"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode not in (0, _UNKNOWN):
            raise TracesAbsent(_refused(definition, lifecycle, done.stdout) or _ended(asked, done))
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(done.stdout, encoding="utf-8")
        beside.replace(file)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _refused(definition: Path, lifecycle: str, answer: str) -> str:
    """What the compiler has against the definition; empty if it answered nothing of that kind."""
    try:
        findings = json.loads(answer)["findings"]
    except (ValueError, KeyError, TypeError):
        return ""
    errors = [
        f"{one['file']}:{one['line']}:{one['column']}: {one['code']} {one['message']}"
        + (f"\nhint: {one['hint']}" if one["hint"] else "")
        for one in findings
        if one["severity"] == "error"
    ]
    if not errors:
        return ""
    told = "\n".join(errors)
    return (
        f"{definition} does not compile, so it is not what the module of '{lifecycle}' was compiled"
        f" from. The compiler says:\n{told}"
    )


def _ended(asked: Sequence[str], done: subprocess.CompletedProcess[str]) -> str:
    """How the command failed, which did not come to judge the definition."""
    told = (done.stderr or done.stdout).strip() or "it said nothing"
    return f"`{shlex.join(asked)}` ended with exit code {done.returncode}:\n{told}"


def _version() -> str:
    """What tells the finders of traces apart: when the module that finds them was written."""
    from importlib.util import find_spec  # noqa: PLC0415 as the command does

    spec = find_spec("milepost_codegen")
    place = Path(spec.origin).parent if spec is not None and spec.origin else None
    files = sorted(place.rglob("*.py")) if place is not None else []
    return str(max((file.stat().st_mtime_ns for file in files), default=0))


def _folder() -> Path:
    given = os.environ.get("MILEPOST_TRACES")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "milepost-traces"
