"""A compile says nothing false of a definition, and misses little of what every run shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from milepost_codegen.findings import Finding
from milepost_codegen.model import Lifecycle, Transition
from milepost_codegen.prove import check_lifecycle
from tests.prove.brute import Finding as Truth
from tests.prove.brute import truths
from tests.prove.random_definitions import definitions, text_of
from tests.prove.reading import resolved
from tests.prove.test_corpus import TRUTH
from tests.prove.test_corpus import text_of as text_of_corpus
from tests.prove.world import Ranges, numbers_near

KINDS = {"E405": "deterministic", "W401": "gap", "E407": "row", "E408": "guard"}


def keys(finding: Finding, lifecycle: Lifecycle) -> Iterator[str]:
    """The obligations that a finding says are not met."""
    rows: list[tuple[str, Transition]] = [
        (machine.name, row)
        for machine in lifecycle.machines
        for row in machine.transitions
        if row.place.line == finding.place.line
    ]
    kind = KINDS[finding.code]
    if finding.code in ("E405", "W401"):
        pair = re.search(r"for '(\w+)' in '(\w+)'", finding.message)
        assert pair is not None
        yield f"{rows[0][0]}.{kind}.{pair[2]}.{pair[1]}"
    else:
        yield from (f"{machine}.{kind}.{row.id}" for machine, row in rows)


def judged(findings: tuple[Finding, ...], lifecycle: Lifecycle) -> dict[str, str]:
    """The code by obligation, of all findings that the prover has an obligation for."""
    return {key: one.code for one in findings if one.code in KINDS for key in keys(one, lifecycle)}


@pytest.mark.parametrize("name", TRUTH)
def test_findings_of_the_corpus_are_true(name: str) -> None:
    lifecycle, findings = resolved(text_of_corpus(name))
    refuted = TRUTH[name]["refuted"]
    said = judged(findings, lifecycle)
    assert {key for key, code in said.items() if code != "E408" or key in refuted} <= set(refuted)


CERTAIN = (
    "overlap_of_ranges",
    "overlap_of_parameters",
    "overlap_after_twelve_steps",
    "gap_after_three_steps",
    "gap_in_a_payload",
    "gap_of_an_enum",
)


@pytest.mark.parametrize("name", CERTAIN)
def test_what_a_run_comes_to_is_found(name: str) -> None:
    lifecycle, findings = resolved(text_of_corpus(name))
    wanted = [key for key in TRUTH[name]["refuted"] if re.match(r"m\.(deterministic|gap)\.", key)]
    assert wanted
    assert set(wanted) <= set(judged(findings, lifecycle))


def test_random_definitions_against_every_run() -> None:
    """No finding that some run contradicts or no run can show; what is left out is counted."""
    count: Counter[str] = Counter()
    for definition in definitions(40, seed=11):
        lifecycle, findings = resolved(text_of(definition))
        near = numbers_near(lifecycle)
        ints = near if len(near) < 9 else tuple(range(-2, 6))
        truth = truths(lifecycle, Ranges(ints=ints, nodes=400, steps=14))
        said = judged(findings, lifecycle)
        for key, code in said.items():
            shown: Truth | None = truth.get(key)
            if shown is None:  # a guard of a row that no run takes
                continue
            count["found"] += 1
            if code in ("E405", "W401"):
                if not shown.refuted:  # by values that were not looked at: the prover has them
                    count["beyond"] += 1
                    results = check_lifecycle(lifecycle).results
                    verdict = {one.obligation.key: one.verdict for one in results}[key]
                    assert verdict == "refuted", (key, text_of(definition))
            else:
                assert shown.refuted, (key, text_of(definition))
        for key, shown in truth.items():
            if shown.refuted and key.split(".")[1] in ("deterministic", "gap"):
                count["shown"] += 1
                count["missed"] += key not in said
    print(dict(count))
    assert count["found"] > 60
    assert count["missed"] * 10 <= count["shown"]
