"""The reader of definitions: whatever the bytes, findings with places, after bounded work."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError
from milepost_codegen.python import emit_python
from tests.fuzz.target import Answer, Target, bounded_calls, shape
from tests.unit.compiler.lifecycles import RICH, SMALL

__all__ = ["DEFINITIONS"]

_PIECES: Final = [
    "{", "}", "[", "]", ":", ",", "-", "&a", "*a", "!!int", "|", ">", "'", '"', "#", "\t", "%",
    "?", "null", "true", "0", "99999999999999999999", "not", "and", "(", ")", "event",
    "otherwise", "open", "items", ".", "==", "\n", "\n    ", "---", "\x00", "\x85", "\u2028",
    "\ud7ff", "\\", "if", "else",
]  # fmt: skip
_PARTS: Final = [
    "states", "events", "transitions", "context", "groups", "guards", "collections", "ignored",
    "invariants", "progress", "initial", "doc",
]  # fmt: skip
_BASES: Final = {"small": SMALL, "rich": RICH}
_MOST_CALLS: Final = 3_000_000
"""Python functions that one definition may take: ten times what the largest here does."""

_edits = st.lists(
    st.tuples(
        st.integers(0, len(RICH)),
        st.integers(0, 9),
        st.sampled_from([*_PIECES, ""]) | st.text(max_size=4),
    ),
    min_size=1,
    max_size=3,
)
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["open", "closed", "close", "x y"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*_PIECES[:8], "open", "type"]), inner, max_size=3),
    ),
    max_leaves=8,
)
_cases = st.one_of(
    st.fixed_dictionaries({"base": st.sampled_from(sorted(_BASES)), "edits": _edits}),
    st.fixed_dictionaries({"hex": st.binary(max_size=120).map(bytes.hex)}),
    st.fixed_dictionaries({"text": st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)}),
    st.fixed_dictionaries({"part": st.sampled_from(_PARTS), "value": _value}),
)


def content_of(case: Any) -> bytes:
    """The bytes that a case stands for."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "text" in case:
        return str(case["text"]).encode()
    if "part" in case:
        machine = {
            "initial": "open",
            "states": {"open": {}, "closed": {"final": True}},
            "events": {"close": {}},
            "transitions": [{"from": "open", "on": "close", "to": "closed"}],
            case["part"]: case["value"],
        }
        whole = {"lifecycle": "small", "version": 1, "machines": {"task": machine}}
        return json.dumps(whole).encode()
    text = _BASES[case["base"]]
    for at, removed, inserted in case["edits"]:
        place = at % (len(text) + 1)
        text = text[:place] + inserted + text[place + removed :]
    return text.encode(errors="surrogatepass")


def _answer(case: Any) -> Answer:
    try:
        with bounded_calls(_MOST_CALLS):
            compiled = compile_definition(content_of(case), "fuzz.yaml")
            text = emit_python(compiled.lifecycle)
    except DefinitionError as problem:
        said = str(problem)
        assert "^" in said, f"no caret: {said}"
        assert problem.findings
        assert all(min(one.place.line, one.place.column) >= 1 for one in problem.findings)
        codes = sorted({one.code for one in problem.findings})
        told = {f"{one.code} {shape(one.message)}" for one in problem.findings}
        return Answer(" ".join(codes), frozenset(told))
    compile(text, "fuzz.py", "exec")
    return Answer("compiled", frozenset(("compiled",)))


DEFINITIONS: Final = Target(name="definitions", cases=_cases, answer=_answer, examples=60)
