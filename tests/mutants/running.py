"""What `make mutants` does: every mutant of every module, the score, and the page."""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.changes import Mutant
from tests.mutants.chosen import CONTROL, MODULES, TESTS
from tests.mutants.page import PAGE, page, reasons, write_scores
from tests.mutants.session import ROOT, Baseline, Outcome, Session, every_mutant, file_of

__all__ = ["SAMPLE", "main", "sampled"]

SAMPLE: Final = Path(__file__).parent / "sample.txt"
_FOUND: Final = ROOT / "build" / "mutants"
_OF_EACH: Final = 6
UNNOTICED: Final = f"{CONTROL}:fee: cents > least_cents → cents >= least_cents"
"""The one change of the control that nothing can notice; every other has to be."""


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="all if none is named")
    parser.add_argument("--sample", action="store_true", help="only those of sample.txt")
    parser.add_argument("--on-import", action="store_true", help="and what modules do on import")
    parser.add_argument(
        "--as-before", action="store_true", help="tests run what they ran last time"
    )
    asked = parser.parse_args(arguments)
    if asked.sample:
        return _session(_sample, [test for _, test in sampled()])
    modules = tuple(asked.modules) or MODULES
    tests = [test for module in modules for test in TESTS[module]]
    return _session(lambda session: _every(session, modules, asked), tests) or _told()


def sampled() -> list[tuple[str, str]]:
    """The mutants of the sample, each with the test that notices it."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    return [(name, test) for name, _, test in (line.partition("\t") for line in lines)]


def _session(work: object, tests: Sequence[str]) -> int:
    place = tempfile.mkdtemp(prefix="mutants-")
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", place]
    try:
        return int(
            pytest.main(
                [*options, *dict.fromkeys((*tests, *TESTS[CONTROL]))],
                plugins=[Session(work)],  # type: ignore[arg-type]
            )
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _every(session: Session, modules: Sequence[str], asked: argparse.Namespace) -> int:
    """Every mutant of the modules, and those of the control first."""
    session.index([*modules, CONTROL])
    if not _control(session):
        return 1
    kept = _FOUND / "baseline.pickle"
    _FOUND.mkdir(parents=True, exist_ok=True)
    if asked.as_before and kept.is_file():
        baseline: Baseline = pickle.loads(kept.read_bytes())
    else:
        baseline = session.baseline([*modules, CONTROL])
        kept.write_bytes(pickle.dumps(baseline))
    if baseline.failed:
        print("these tests fail without any change:", *baseline.failed, sep="\n  ")
        return 1
    for module in modules:
        print(f"{module}:", flush=True)
        known = _kept(module) if asked.as_before else {}
        tried = [one for one in every_mutant(module) if one.function or asked.on_import]
        outcomes = _all_of(session, baseline, tried, known)
        killed = sum(one.killed for one in outcomes)
        print(f"{module}: {killed} of {len(outcomes)} noticed", flush=True)
    return 0


def _kept(module: str) -> dict[str, Outcome]:
    """What became of the mutants of a module, as far as the last run came."""
    path = _FOUND / f"{module}.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return {name: Outcome(name, killed, by, tried) for name, killed, by, tried in told}


def _keep(module: str, outcomes: Iterable[Outcome]) -> None:
    told = [(one.name, one.killed, one.by, one.tried) for one in outcomes]
    text = json.dumps(told, indent=0, ensure_ascii=False)
    (_FOUND / f"{module}.json").write_text(text, encoding="utf-8")


def _control(session: Session) -> bool:
    """Is of the control noticed all but what nothing can notice?"""
    tests = [each for each in session.items if each.startswith(TESTS[CONTROL])]
    right = True
    for mutant in every_mutant(CONTROL):
        one = session.attempt(mutant, tests, 1.0)
        if one.killed == (one.name == UNNOTICED):
            print(f"the control: {one.name} was {'' if one.killed else 'not '}noticed")
            right = False
    return right


def _all_of(
    session: Session, baseline: Baseline, every: Sequence[Mutant], known: Mapping[str, Outcome]
) -> list[Outcome]:
    """What became of the mutants of a module; what was noticed before is not tried again."""
    module = every[0].module
    outcomes: list[Outcome] = []
    noticing: dict[str, Counter[str]] = {}
    among = TESTS[module]
    for mutant in every:
        one = known.get(mutant.name)
        # What noticed most mutants of a function is likely to notice this one.
        counts = noticing.setdefault(mutant.place, Counter())
        if one is None or not one.killed:
            tests = baseline.of(mutant, file_of(module), among)
            tests = [test for test in tests if test in session.items]
            tests.sort(key=lambda test, counts=counts: -counts[test])
            seconds = sum(baseline.seconds[test] for test in tests)
            one = session.attempt(mutant, tests, seconds)
            if not one.killed:
                print(f"not noticed by {one.tried} tests: {one.name}", flush=True)
        counts[one.by] += 1
        outcomes.append(one)
        _keep(module, {**known, **{one.name: one for one in outcomes}}.values())
    _keep(module, outcomes)
    return outcomes


def _told() -> int:
    """Write scores, page and sample, if every module has been tried. 1 if a survivor is unnamed."""
    found = {module: list(_kept(module).values()) for module in MODULES}
    survivors = [one.name for of in found.values() for one in of if not one.killed]
    known = reasons()
    for name in survivors:
        if name not in known:
            print(f"no reason is given for: {name}")
    for name in known:
        if found[name.partition(":")[0]] and name not in survivors:
            print(f"no survivor any more, and a reason is given for: {name}")
    if not all(found.values()) or set(survivors) != set(known):
        return 1
    write_scores(
        {
            module: {"mutants": len(of), "survivors": sum(not one.killed for one in of)}
            for module, of in found.items()
        }
    )
    PAGE.write_text(page(), encoding="utf-8")
    lines = [f"{one.name}\t{one.by}\n" for module, of in found.items() for one in _some(module, of)]
    SAMPLE.write_text("".join(lines), encoding="utf-8")
    return 0


def _some(module: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """A few that one test notices in no fresh process, by their digests: nobody chose them."""
    within = {one.name for one in every_mutant(module) if one.function}
    fit = [one for one in outcomes if one.by.startswith(TESTS[module]) and one.name in within]
    fit.sort(key=lambda one: hashlib.sha256(one.name.encode()).digest())
    return fit[:_OF_EACH]


def _sample(session: Session) -> int:
    """The sample and the control."""
    wanted = dict(sampled())
    session.index([*MODULES, CONTROL])
    if not _control(session):
        return 1
    every = {one.name: one for module in MODULES for one in every_mutant(module)}
    noticed = 0
    for name, test in wanted.items():
        if name not in every:
            print(f"there is no such mutant any more: {name}")
        elif session.attempt(every[name], [test], 1.0).killed:
            noticed += 1
        else:
            print(f"not noticed by {test}: {name}")
    print(f"{noticed} of {len(wanted)} noticed")
    return int(noticed < len(wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
