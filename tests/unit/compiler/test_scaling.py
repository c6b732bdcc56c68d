"""The work of a compile grows about as the definition does, however many flags its guards read.

And no faster than the pairs of rows do, however many rows a state has for an event.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from milepost_codegen.checks.determinism import check_determinism
from milepost_codegen.definition import read_definition
from milepost_codegen.findings import Findings
from milepost_codegen.resolve import resolve
from milepost_codegen.source import read_source


def definition(flags: int, rows: int) -> str:
    """A pair of `rows` rows, each with a guard over all flags, which tell the number of the row."""
    context = ", ".join(f"f{i}: {{type: bool, param: true}}" for i in range(flags))
    lines: list[str] = []
    for number in range(rows):
        parts = [f"f{i}" if number >> i & 1 else f"not f{i}" for i in range(flags)]
        told = " and ".join(parts)
        lines.append(f"      - {{from: a, on: go, to: z, when: {told}, partial: true}}")
    rows_text = "\n".join(lines)
    return (
        "lifecycle: flags\nversion: 1\nmachines:\n  m:\n    initial: a\n"
        f"    states: {{a: {{}}, z: {{final: true}}}}\n    context: {{{context}}}\n"
        f"    events: {{go: {{}}}}\n    transitions:\n{rows_text}\n"
    )


def steps(text: str) -> tuple[int, set[str]]:
    """The steps that the checks of the rows took, and the codes of what they found."""
    findings = Findings()
    source = read_source(text.encode(), "flags.yaml", findings)
    assert source is not None
    written = read_definition(source, findings)
    assert written is not None
    resolution = resolve(written, source, findings)
    machine = resolution.lifecycle.machines[0]
    assert not findings.found
    spent = check_determinism(resolution.lifecycle, machine, resolution.doubts["m"], findings)
    return spent, {one.code for one in findings.found}


def test_four_times_the_rows_and_twice_the_flags() -> None:
    small, large = steps(definition(6, 12)), steps(definition(12, 48))
    print(small, large, large[0] / small[0])
    assert small[1] == large[1] == set()
    assert large[0] < 16 * small[0]  # the text is eight times as long


def cases(rows: int) -> str:
    """A pair of so many rows, each for one value of the payload."""
    lines = "\n".join(
        f"      - {{from: a, on: go, to: z, when: event.n == {number}, partial: true}}"
        for number in range(rows)
    )
    return (
        "lifecycle: cases\nversion: 1\nmachines:\n  m:\n    initial: a\n"
        "    states: {a: {}, z: {final: true}}\n"
        "    events: {go: {payload: {n: {type: int}}}}\n"
        f"    transitions:\n{lines}\n"
    )


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the compiler are run: loops that call nothing count as well."""
    run = 0

    def line(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal run
        run += event == "line"
        return line

    def call(frame: FrameType, _event: str, _arg: object) -> Any:
        ours = frame.f_globals.get("__name__", "").startswith("milepost_codegen.")
        return line if ours else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return run


def test_four_times_the_rows_of_one_pair() -> None:
    small, large = (lines_run(partial(steps, cases(rows))) for rows in (16, 64))
    print(small, large, large / small)
    assert large < 16 * small  # there are sixteen times as many pairs of rows
