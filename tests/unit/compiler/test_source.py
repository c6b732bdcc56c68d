"""YAML as the compiler reads it: scalars, places, and what is refused."""

import random
from collections.abc import Iterator

import pytest
import yaml

from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError, Findings
from milepost_codegen.source import Source, read_source

from .lifecycles import RICH, SMALL


def read(text: str) -> Source:
    findings = Findings()
    source = read_source(text.encode(), "f.yaml", findings)
    assert source is not None
    assert not findings.found
    return source


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("True", "True"),
        ("~", "~"),
        ("12:30", "12:30"),
        ("1.0", "1.0"),
        ("1e3", "1e3"),
        ("0x10", "0x10"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'true'", "true"),
        ('"12"', "12"),
        ("=", "="),
        ("9" * 19, "9" * 19),
    ],
)
def test_scalars_have_our_own_rules(written: str, value: object) -> None:
    """Only true, false, null and decimal integers are anything but text."""
    found = read(f"a: {written}\n").data
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_keys_are_always_text() -> None:
    """`on` and `1` are names as keys."""
    assert read("on: 1\n1: 2\ntrue: 3\n").data == {"on": 1, "1": 2, "true": 3}


def test_every_part_has_its_place() -> None:
    """Keys, values, and the characters within quoted text."""
    source = read("a:\n  - b: \"x y\"\n    c: 'it''s'\n")
    assert (source.key_at("a", 0, "b").line, source.key_at("a", 0, "b").column) == (2, 5)
    assert source.at("a", 0, "b").column == 8
    assert source.within(("a", 0, "b"), 2).column == 11
    assert source.within(("a", 0, "c"), 4) == source.at("a", 0, "c")
    assert source.at("a", 0, "nothing", "here") == source.at("a", 0)


def test_a_byte_order_mark_and_other_line_ends_do_not_move_places() -> None:
    """Places count as editors do."""
    findings = Findings()
    source = read_source(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f.yaml", findings)
    assert source is not None
    assert (source.key_at("b").line, source.key_at("b").column) == (2, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'a: "b\n', ("f.yaml:2:1: E003 broken YAML while scanning a quoted scalar: found"
         " unexpected end of stream\n  \n  ^\n")),
        (b"\xef\xbb\xbfa: \x01\n", ("f.yaml:1:4: E001 the character U+0001 is not allowed\n"
         "  a: \\x01\n     ^\n")),
        (b"a\x0cb: \x01\n", ("f.yaml:1:2: E001 the character U+000C is not allowed\n"
         "  a\\x0cb: \\x01\n   ^\n")),
        (b"a: \xff\n", ("f.yaml:1:4: E001 the text is not UTF-8\n  a: \ufffd\n     ^\n"
         "hint: save the file as UTF-8\n")),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_shown_where_it_cannot(content: bytes, told: str) -> None:
    """Its lines are those of the place, whatever else could end a line."""
    with pytest.raises(DefinitionError) as refused:
        compile_definition(content, "f.yaml")
    assert str(refused.value) == told


def test_a_large_file_is_refused_before_it_is_parsed() -> None:
    """More than a mebibyte is a finding."""
    findings = Findings()
    assert read_source(b"a: b\n" * 300_000, "f.yaml", findings) is None
    assert [finding.code for finding in findings.found] == ["E002"]


PIECES = [
    *("\t", "?", "? ", "%", "\\", "\n", "\r\n", "\x85", "\u2028", "\ufeff", " ", "  ", "\n  "),
    *(":", ": ", "- ", ",", "[", "]", "{", "}", "{}", "'", '"', "''", '"\\ud83d"', "#", " #", "&a"),
    *("*a", "!", "!!int", "|", ">", "|\n", ">-\n", "@", "`", "~", "---\n", "...\n", "%YAML 1.2\n"),
    *("ä", "表", "😀", "\x07", "<<", "=", "null", "0x1"),
]


def mutated(count: int) -> Iterator[str]:
    """Pieces of definitions with characters dropped, doubled, moved and put in."""
    chance = random.Random(17)  # noqa: S311 no secret
    for _ in range(count):
        lines = chance.choice([RICH, SMALL]).splitlines(keepends=True)
        start = chance.choice([0, 0, chance.randrange(len(lines))])
        text = "".join(lines[start : start + chance.choice([3, 10])])
        for _ in range(chance.choice([0, 1, 1, 2])):
            at = chance.randrange(len(text) + 1)
            piece = chance.choice([*PIECES, "", text[at : at + 9]])
            text = text[:at] + piece + text[at + chance.choice([0, 0, 1, 4]) :]
        yield text


def test_both_parsers_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a definition says does not depend on whether there is a parser in C: nor do findings."""
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is None:
        pytest.skip("PyYAML has no parser in C here")
    asked: list[str] = []

    def counted(text: str) -> object:
        asked.append(text)
        loader: object = fast(text)
        return loader

    taken = 0
    for text in mutated(400):
        findings, alone = Findings(), Findings()
        content = text.encode("utf-8", "replace")
        monkeypatch.setattr(yaml, "CSafeLoader", counted)
        source = read_source(content, "f.yaml", findings)
        monkeypatch.setattr(yaml, "CSafeLoader", None)
        assert source == read_source(content, "f.yaml", alone)
        assert findings.sorted() == alone.sorted()
        taken += source is not None and text in asked
    assert 100 < taken < len(asked) < 400
