"""Whatever the bytes, the compiler answers with findings."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError
from milepost_codegen.python import emit_python

from .lifecycles import RICH, SMALL

PIECES = [
    "{", "}", "[", "]", ":", ",", "-", "&a", "*a", "!!int", "|", ">", "'", "\"", "#", "\t", "%",
    "?", "null", "true", "0", "99999999999999999999", "not", "and", "(", ")", "event",
    "otherwise", "open", "items", ".", "==", "\n", "\n    ", "---", "\x00", "\x85", "\u2028",
    "\ud7ff", "\\", "if", "else",
]  # fmt: skip


def answer(content: bytes) -> None:
    """Compile `content`; findings are the only way to fail, and have places in the file."""
    try:
        compiled = compile_definition(content, "fuzz.yaml")
    except DefinitionError as problem:
        refused = problem
    else:
        compile(emit_python(compiled.lifecycle), "fuzz.py", "exec")
        return
    assert str(refused)
    assert refused.findings
    assert all(min(one.place.line, one.place.column) >= 1 for one in refused.findings)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_random_bytes(content: bytes) -> None:
    """Not even text."""
    answer(content)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=150, deadline=None)
def test_random_pieces_of_yaml(text: str) -> None:
    """Text that looks like YAML in places."""
    answer(text.encode())


@pytest.mark.parametrize("seed", range(6))
def test_mutated_definitions(seed: int) -> None:
    """Nearly right definitions: characters dropped, doubled, swapped and replaced."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    for text in [RICH] * 40 + [SMALL] * 120:
        mutated = text
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(mutated))
            piece = chance.choice([*PIECES, "", mutated[at : at + 9]])
            mutated = mutated[:at] + piece + mutated[at + chance.randint(0, 5) :]
        answer(mutated.encode())


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.sampled_from(["open", "closed", "close", "x y"]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from([*PIECES[:8], "open", "type"]), inner, max_size=3),
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            "states",
            "events",
            "transitions",
            "context",
            "groups",
            "guards",
            "collections",
            "ignored",
            "invariants",
            "progress",
            "initial",
            "doc",
        ]
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_data_in_any_part(value: object, key: str) -> None:
    """Values of the wrong shape, in flow style, which JSON is too."""
    import json

    machine = {
        "initial": "open",
        "states": {"open": {}, "closed": {"final": True}},
        "events": {"close": {}},
        "transitions": [{"from": "open", "on": "close", "to": "closed"}],
        key: value,
    }
    document = {"lifecycle": "small", "version": 1, "machines": {"task": machine}}
    answer(json.dumps(document).encode())
