"""What is safe to show: nothing in it steers, reorders or hides, and what people write stays."""

from __future__ import annotations

import io
import sys

import pytest

from milepost.text.escapes import columns, encodable, escaped, lenient, printable, printable_lines
from tests.hostile import HALF_PAIRS, HOSTILE, READABLE, misbehaving

ALL = {**HOSTILE, **HALF_PAIRS}


@pytest.mark.parametrize("name", ALL)
def test_nothing_misbehaves(name: str) -> None:
    """On one line, in one encoding or another, and a second time changes nothing."""
    text = printable(ALL[name])
    assert misbehaving(text, lines=False) == []
    assert printable(text) == text
    text.encode()
    assert encodable(text, "ascii").isascii()


def test_the_judge_finds_what_is_wrong() -> None:
    """The negative control: every text of the first kinds misbehaves as it is."""
    until = list(HOSTILE).index("markup")
    assert all(misbehaving(HOSTILE[name], lines=False) for name in list(HOSTILE)[:until])
    assert all(misbehaving(text) for text in HALF_PAIRS.values())


@pytest.mark.parametrize("name", READABLE)
def test_what_people_write_stays(name: str) -> None:
    """Scripts that need joiners, and emoji that are made of several, stay readable."""
    assert printable(HOSTILE[name]) == HOSTILE[name]


def test_every_character_alone() -> None:
    """Of all that there are, none that steers, reorders or hides is shown by itself."""
    every = (*range(0x11000), *range(0x11000, sys.maxunicode + 1, 61), *range(0xE0000, 0xE0200))
    shown = "".join(map(printable, map(chr, every)))
    assert misbehaving(shown, lines=False) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\x1b[0m\n", r"a\x1b[0m\n"),
        ("a\u202eb", r"a\u202eb"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("a\u200db", r"a\u200db"),  # no script joins these
        ("\u05d0\u200d", r"א\u200d"),  # nothing to join with
        ("\u0d28\u0d4d\u200d", "\u0d28\u0d4d\u200d"),  # a Malayalam chillu ends in a joiner
        ("\u0669\u0600", "\u0669\u0600"),  # a sign that is seen
        ("\u845b\U000e0100", "\u845b\U000e0100"),  # a variant of an ideograph
        ("x\ufe0f", r"x\ufe0f"),
        ("1\ufe0f", r"1\ufe0f"),
        ("\u3164\ufe0f", r"\u3164\ufe0f"),
        ("C:\\x", "C:\\x"),
    ],
)
def test_escapes(text: str, told: str) -> None:
    assert printable(text) == told


def test_lines_stay_lines() -> None:
    assert printable_lines("a\nb\r\nc\u2028") == "a\nb\\r\nc\\u2028"


def test_other_escapes() -> None:
    """A format may have escapes of its own."""
    assert escaped("a\x1b", lambda char: f"&#{ord(char)};") == "a&#27;"
    assert encodable("a✓", "latin-1", lambda char: f"&#{ord(char)};") == "a&#10003;"
    assert encodable("aé✓", "latin-1") == "aé\\u2713"


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1), ("", 0), ("\uff21", 2), ("\u06dd", 1)],
)
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


def test_a_lenient_stream_replaces() -> None:
    """Where a strict one raises, which is the negative control."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii", errors="strict")
    with pytest.raises(UnicodeEncodeError):
        stream.write("✓")
    lenient(stream, None, io.StringIO())
    stream.write("✓\udcff")
    stream.flush()
    assert buffer.getvalue() == rb"\u2713\udcff"
