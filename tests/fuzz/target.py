"""What a target of fuzzing is: cases, and what may come of one; and the cases that are kept.

To keep new cases: python -m tests.fuzz [TARGET...] [--examples N]; `make soak` does.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

__all__ = ["Answer", "Kept", "Target", "bounded_calls", "grown", "keep", "kept", "shape"]

FOLDER: Final = Path(__file__).parent / "corpus"
_LONGEST: Final = 600
"""Characters of a case that is kept, as JSON."""


@dataclass(frozen=True)
class Answer:
    """What came of a case, and what it reached: codes, kinds of errors, shapes of messages."""

    gives: str
    reached: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what strangers wrote.

    A case is a value of JSON. `answer` raises AssertionError, or whatever came through, where a
    case had an effect that nobody may have.
    """

    name: str
    cases: st.SearchStrategy[Any]
    answer: Callable[[Any], Answer]
    examples: int


@dataclass(frozen=True)
class Kept:
    """A case of the corpus, and what it is expected to give."""

    case: Any
    gives: str


def kept(target: str) -> list[Kept]:
    """The corpus of a target, in the order in which it grew."""
    path = FOLDER / f"{target}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Kept(one["case"], one["gives"]) for one in map(json.loads, lines)]


def keep(target: str, cases: list[Kept]) -> None:
    """Write a corpus."""
    lines = [json.dumps({"case": one.case, "gives": one.gives}) + "\n" for one in cases]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.jsonl").write_text("".join(lines), encoding="utf-8")


def grown(
    target: Target, examples: int, number: int, *, known: bool = True
) -> tuple[list[Kept], int]:
    """Of so many cases those that reach what none before did; and how many were drawn.

    With `known`, what the corpus reaches counts as well.
    """
    cases = kept(target.name) if known else []
    reached = {each for one in cases for each in target.answer(one.case).reached}
    new: list[Kept] = []
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(target.cases)
    def each(case: Any) -> None:
        nonlocal tried
        tried += 1
        answer = target.answer(case)
        if not answer.reached <= reached and len(json.dumps(case)) <= _LONGEST:
            reached.update(answer.reached)
            new.append(Kept(case, answer.gives))

    each()
    return new, tried


def shape(message: str, most_words: int = 8) -> str:
    """The first words of a message, without what it tells of: names, numbers and values."""
    first = message.partition("\n")[0]
    first = re.sub(r"""'[^']*'|"[^"]*"|`[^`]*`""", "_", first)
    words = re.findall(r"[a-z]{3,}", first)
    return " ".join(words[:most_words])


@contextmanager
def bounded_calls(most: int) -> Iterator[None]:
    """Raise AssertionError where more than so many Python functions are called."""
    count = 0

    def called(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call"
        if count > most:
            sys.setprofile(None)
            raise AssertionError(f"more than {most:,} calls, now in {frame.f_code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(before)
