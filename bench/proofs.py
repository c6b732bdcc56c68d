"""What proving a lifecycle costs over the help of the same command: ours, and 301 states."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from pairing import Figure, Settings, at_most, differences, in_turn

ROUNDS: Final = 5
BLOCKS: Final = 30
STATES: Final = (
    "new", "queued", "leased", "running", "retry", "paused", "checking", "fixing", "closing", "end",
)  # fmt: skip
OWN: Final = Path(__file__).resolve().parent.parent / "statemachine.yaml"


def command(*words: str, exit_code: int = 0) -> Callable[[int], float]:
    """Measures one run of `milepost`, in s; it must end with that code."""

    def measure(_turn: int) -> float:
        began = perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "milepost", *words], check=False, capture_output=True
        )
        took = perf_counter() - began
        assert done.returncode == exit_code, done.stdout[-2000:] + done.stderr[-2000:]
        return took

    return measure


def chain(blocks: int) -> str:
    """A definition of ten times as many states and one: leases, attempts and checks in a row."""
    lines = ["lifecycle: chain", "version: 1", "enums:", "  Why: [error, timeout]", "machines:"]
    lines += ["  m:", "    initial: s0_new", "    states:"]
    lines += [f"      s{block}_{state}: {{}}" for block in range(blocks) for state in STATES]
    lines += [
        "      done: {final: true}",
        "    context:",
        "      attempts: {type: int, initial: 0}",
        "      most: {type: int, param: true, where: 1 <= most and most <= 10}",
        "      token: {type: int, initial: 0}",
        "      held: {type: bool, initial: false}",
        "      why: {type: Why, initial: error}",
        "    events:",
        "      go: {}",
        "      lease: {}",
        "      run: {}",
        "      fail: {payload: {why: {type: Why}}}",
        "      again: {}",
        "      pause: {}",
        "      resume: {}",
        "      check: {payload: {score: {type: int}}}",
        "    transitions:",
    ]
    for block in range(blocks):
        lines += [f"      - {{{row}}}" for row in _rows(block, blocks)]
    places = {
        name: ", ".join(f"s{block}_{name}" for block in range(blocks))
        for name in ("leased", "running", "end")
    }
    lines += [
        "    invariants:",
        "      bounded: {holds: 0 <= attempts and attempts <= most}",
        "      token_grows: {holds: token >= 0}",
        f"      may_run: {{in: [{places['leased']}], holds: attempts < most}}",
        f"      held: {{in: [{places['leased']}, {places['running']}], holds: held}}",
        f"      given_back: {{in: [{places['end']}], holds: not held}}",
        "    progress: {decreases: [most - attempts], except: [go, pause, check]}",
    ]
    return "\n".join(lines) + "\n"


def _rows(block: int, blocks: int) -> list[str]:
    s = f"s{block}_"
    following = f"s{block + 1}_new" if block + 1 < blocks else "done"
    took = "set: {token: token + 1, held: true}"
    return [
        f"from: {s}new, on: go, to: {s}queued, set: {{attempts: 0}}",
        f"from: {s}queued, on: lease, to: {s}leased, when: attempts < most, {took}",
        f"from: {s}queued, on: lease, to: {s}end, when: otherwise, set: {{held: false}}",
        f"from: {s}leased, on: run, to: {s}running, set: {{attempts: attempts + 1}}",
        f"from: {s}running, on: fail, to: {s}retry, set: {{held: false, why: event.why}}",
        f"from: {s}running, on: check, to: {s}checking",
        f"from: {s}retry, on: again, to: {s}queued",
        f"from: {s}retry, on: pause, to: {s}paused",
        f"from: {s}paused, on: resume, to: {s}retry",
        f"from: {s}checking, on: check, to: {s}fixing, when: event.score < 50",
        f"from: {s}checking, on: check, to: {s}closing, when: otherwise",
        f"from: {s}fixing, on: go, to: {s}checking, when: why == error",
        f"from: {s}fixing, on: go, to: {s}closing, when: otherwise",
        f"from: {s}closing, on: go, to: {s}end, set: {{held: false}}",
        f"from: {s}end, on: go, to: {following}, set: {{attempts: 0, why: error}}",
    ]


def figures(settings: Settings) -> Iterator[Figure]:
    large = settings.folder / "chain.yaml"
    large.write_text(chain(BLOCKS), encoding="utf-8")
    helping, own, chained = in_turn(
        ROUNDS, command("check", "--help"), command("check", str(OWN)), command("check", str(large))
    )
    floor = ("milepost check --help", helping)
    yield differences("check of the built-in lifecycle", own, floor, unit="s", budget=at_most(3))
    yield differences("check of 301 states", chained, floor, unit="s", budget=at_most(30))
