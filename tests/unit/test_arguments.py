"""What passes the checks of arguments, in which form, and what the errors of the others say."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from milepost import arguments
from milepost.errors import ArgumentInvalid, StateError
from milepost.text.wording import bounded, shown


class Word(StrEnum):
    ONE = "one"


class Mixed(str, Enum):  # noqa: UP042 there are such enums
    ONE = "one"


class Count(IntEnum):
    TWO = 2


class Index:
    def __index__(self) -> int:
        return 7


class Hostile:
    """Everything that can be asked of it raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __index__ = __float__ = __eq__ = __len__ = __iter__ = _raise
    __fspath__ = __bool__ = _raise
    __hash__ = None  # type: ignore[assignment]


HUGE = 10**4_000
KNOT: list[object] = []
KNOT.append(KNOT)


@pytest.mark.parametrize(
    ("given", "plain"), [("a", "a"), (Word.ONE, "one"), (Mixed.ONE, "one"), ("", ""), ("é", "é")]
)
def test_texts_are_plain(given: object, plain: str) -> None:
    taken = arguments.text("owner", given)
    assert taken == plain
    assert type(taken) is str


@pytest.mark.parametrize(
    "given", [None, 3, True, b"a", ["a"], "a\0b", "\ud800", "x" * 1_001, Hostile()]
)
def test_what_is_no_text(given: object) -> None:
    with pytest.raises(ArgumentInvalid, match="argument 'owner': text of up to 1,000") as caught:
        arguments.text("owner", given)
    assert caught.value.name == "owner"


@pytest.mark.parametrize(
    ("given", "plain"), [(0, 0), (Count.TWO, 2), (Index(), 7), (2**63 - 1,) * 2]
)
def test_integers_are_plain(given: object, plain: int) -> None:
    taken = arguments.integer("keep", given)
    assert taken == plain
    assert type(taken) is int


@pytest.mark.parametrize("given", [None, True, 1.0, "1", -1, 2**63, HUGE, Fraction(1), Hostile()])
def test_what_is_no_integer(given: object) -> None:
    with pytest.raises(ArgumentInvalid, match="argument 'keep': an integer from 0 on is wanted"):
        arguments.integer("keep", given)


@pytest.mark.parametrize("given", [0, 1.5, Fraction(1, 2), Count.TWO])
def test_seconds_are_plain(given: object) -> None:
    assert type(arguments.seconds("ttl_s", given)) is float


@pytest.mark.parametrize(
    "given",
    [None, True, "1", -0.1, float("nan"), float("inf"), HUGE, 1e10, timedelta(1), 1j, Hostile()],
)
def test_what_is_no_time(given: object) -> None:
    with pytest.raises(ArgumentInvalid, match="argument 'ttl_s': a number of seconds, 0 to"):
        arguments.seconds("ttl_s", given)
    with pytest.raises(ArgumentInvalid, match="above 0 to"):
        arguments.seconds("ttl_s", 0, above=0)


def test_a_text_is_no_list_of_texts() -> None:
    assert arguments.texts("keys", ("a", Word.ONE)) == ["a", "one"]
    for given in ("abc", b"abc", 3, None, {"a": 1}, ["a", 3]):
        with pytest.raises(ArgumentInvalid, match="'keys'"):
            arguments.texts("keys", given)


def test_what_only_counts_as_true_is_no_flag() -> None:
    assert arguments.flag("operator", True) is True
    for given in (1, 0, "yes", None, Hostile()):
        with pytest.raises(ArgumentInvalid, match="True or False is wanted"):
            arguments.flag("operator", given)


def test_choices_are_compared_by_type_too() -> None:
    among = (True, False, "folders")
    assert arguments.choice("create", Mixed.ONE, ("one",)) == "one"
    for given in (1, 0, "other", None, Hostile(), [True]):
        with pytest.raises(ArgumentInvalid, match="True or False or 'folders' is wanted"):
            arguments.choice("create", given, among)


def test_paths_moments_and_spans(tmp_path: Path) -> None:
    assert arguments.path("copy", str(tmp_path)) == tmp_path
    for given in ("", "a\0", b"a", "\udcff", 3, None, Hostile()):
        with pytest.raises(ArgumentInvalid, match="'copy'"):
            arguments.path("copy", given)
    now = datetime.now(UTC)
    assert arguments.moment("at", now) == now
    for given in (now.replace(tzinfo=None), now.timestamp(), "2020", None):
        with pytest.raises(ArgumentInvalid, match="with a time zone"):
            arguments.moment("at", given)
    assert arguments.span("for_", timedelta(1)) == timedelta(1)
    for given in (timedelta(-1), 3, None):
        with pytest.raises(ArgumentInvalid, match="a timedelta of 0"):
            arguments.span("for_", given)


def test_the_error_is_what_users_catch_and_travels() -> None:
    with pytest.raises(ArgumentInvalid) as caught:
        arguments.integer("keep", "3", 1, 9)
    error = caught.value
    assert isinstance(error, StateError)
    assert isinstance(error, ValueError)
    assert isinstance(error, TypeError)
    assert str(error) == "argument 'keep': an integer from 1 up to 9 is wanted, not '3' (str)"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "given",
    ["x" * 10**6, "\x1b[2J\n\u202e\ud800", HUGE, [HUGE] * 9, KNOT, b"\0" * 10**6, Hostile(),
     {"k" * 999: [[[[[[1]]]]]]}, [Hostile()], type("T\n" * 999, (), {})()],
)  # fmt: skip
def test_anything_is_shown_on_one_short_line(given: object) -> None:
    told = shown(given)
    assert told.isprintable()
    assert 0 < len(told) <= 150


def test_what_python_will_not_print_is_shown() -> None:
    assert shown(10**5_000) == "<an integer of 16610 bits>"
    assert shown([10**5_000]) == "[<an integer of 16610 bits>]"


def test_what_is_cut_says_how_much() -> None:
    assert bounded("abc", 3) == "abc"
    assert bounded("x" * 3_000, 1_000) == "x" * 1_000 + "… (2,000 characters more)"
