"""Files of every format with changed bytes: an error that says so, or what they hold."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from milepost import JobAbsent, StateManager
from milepost.errors import MilepostError, StoreAbsent
from milepost.stores.sqlite.schema import STEPS
from tests.fuzz.target import Answer, Target, shape
from tests.stores.make import EXPECTED, holds, store_of

__all__ = ["OLD_STORES"]

_DENIALS: Final = (JobAbsent, StoreAbsent)
"""Errors that deny what is there: as wrong as a wrong answer."""

_cases = st.fixed_dictionaries(
    {
        "format": st.sampled_from([step.version for step in STEPS]),
        "changes": st.lists(
            st.tuples(st.integers(0, 90_000) | st.integers(0, 120), st.integers(1, 255)),
            min_size=1,
            max_size=3,
        ),
        "write": st.booleans(),
    }
) | st.fixed_dictionaries(
    {
        "format": st.sampled_from([step.version for step in STEPS]),
        "kept_bytes": st.integers(0, 90_000),
        "write": st.booleans(),
    }
)


@functools.cache
def _expected() -> dict[str, Any]:
    return dict(json.loads(EXPECTED.read_text(encoding="utf-8")))


def _answer(case: Any) -> Answer:
    content = bytearray(store_of(case["format"]).read_bytes())
    if "kept_bytes" in case:
        del content[case["kept_bytes"] % len(content) :]
    for at, xor in case.get("changes", ()):
        content[at % len(content)] ^= xor
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "jobs.db"
        path.write_bytes(content)
        try:
            with StateManager.open(path, read_only=not case["write"], create=False) as manager:
                problems = manager.check_store()
                sound = all(one.sound for one in manager.verify())
                held = holds(manager)
        except MilepostError as error:
            assert not isinstance(error, _DENIALS) or "kept_bytes" in case, (
                "it denies what is there"
            )
            name = type(error).__name__
            assert 0 < len(str(error)) < 2_000
            return Answer(
                name,
                frozenset(
                    (f"{case['format']} {name} {shape(str(error).partition(folder)[2][8:], 6)}",)
                ),
            )
    told = held == _expected()[str(case["format"])]
    assert told or problems or not sound, "a wrong answer, and nobody says so"
    what = "as it was" if told and sound and not problems else "damage is told"
    return Answer(what, frozenset(shape(str(one), 3) for one in problems[:1]) | {what})


def _memory() -> str | None:
    folder = "/dev/shm"  # noqa: S108  a folder that is no disk, where there is one
    return folder if Path(folder).is_dir() else None


OLD_STORES: Final = Target(name="old_stores", cases=_cases, answer=_answer, examples=60)
