"""Reports and findings as SARIF 2.1.0, which code hosts and editors show at the lines."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from milepost_codegen.explanations import EXPLANATIONS
from milepost_codegen.findings import CODES
from milepost_codegen.prove.show.words import (
    ADVICE,
    TITLES,
    changes,
    event_of,
    fault,
    free_entries,
    lemma_lines,
    shown_start,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from milepost_codegen.findings import Finding, Place
    from milepost_codegen.model import Json
    from milepost_codegen.prove.report import Report, Result, Verdict

__all__ = ["sarif"]

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_KINDS: Final[Mapping[Verdict, str]] = {
    "proved": "pass",
    "refuted": "fail",
    "undetermined": "open",
}
_WARNINGS: Final = frozenset(("gap", "guard", "row"))


def sarif(reports: Sequence[Report], findings: Iterable[Finding]) -> dict[str, Json]:
    """A SARIF log of one run: a rule for each kind and code, a result for each obligation."""
    found = list(findings)
    results = [_result(report, one) for report in reports for one in report.results]
    codes = sorted({one.code for one in found})
    rules: list[Json] = [_rule_of_code(code) for code in codes]
    rules += [
        {
            "id": kind,
            "shortDescription": {"text": title},
            "help": {"text": ADVICE[kind]},
            "defaultConfiguration": {"level": _level(kind)},
        }
        for kind, title in TITLES.items()
    ]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "milepost check",
                        "version": version("milepost"),
                        "rules": rules,
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [*(_finding(one) for one in found), *results],
            }
        ],
    }


def _level(kind: str) -> str:
    return "warning" if kind in _WARNINGS else "error"


def _rule_of_code(code: str) -> Json:
    return {
        "id": code,
        "shortDescription": {"text": CODES[code]},
        "help": {"text": EXPLANATIONS[code]},
        "defaultConfiguration": {"level": "warning" if code.startswith("W") else "error"},
    }


def _finding(one: Finding) -> Json:
    hint = f"\nhint: {one.hint}" if one.hint else ""
    return {
        "ruleId": one.code,
        "kind": "fail",
        "level": one.severity,
        "message": {"text": f"{one.message}{hint}"},
        "locations": [{"physicalLocation": _place(one.place)}],
    }


def _result(report: Report, one: Result) -> Json:
    about = one.obligation
    told = [about.claim, fault(report, one) or one.because]
    told += [f"needs {line}" for line in lemma_lines(one.lemmas)]
    properties: dict[str, Json] = {"verdict": one.verdict, "method": one.method}
    if one.root:
        properties["root"] = one.root
    result: dict[str, Json] = {
        "ruleId": about.kind,
        "kind": _KINDS[one.verdict],
        "level": _level(about.kind) if one.verdict == "refuted" else "none",
        "message": {"text": "\n".join(part for part in told if part)},
        "locations": [
            {
                "physicalLocation": _place(about.place),
                "logicalLocations": [{"fullyQualifiedName": about.key}],
            }
        ],
        "partialFingerprints": {"obligation/v1": f"{report.lifecycle.name}/{about.key}"},
        "properties": properties,
    }
    if one.run is not None:
        result["codeFlows"] = [{"threadFlows": [{"locations": _flow(one)}]}]
    return result


def _flow(one: Result) -> list[Json]:
    """The run as locations: the obligation's own for the start, then the row of each step."""
    assert one.run is not None
    before = one.run.start
    start = shown_start(one.run, free_entries(one))
    told = [(one.obligation.place, f"created in {before.mode}{f': {start}' if start else ''}")]
    for step in one.run.steps:
        changed = changes(before, step.after)
        text = f"{event_of(step)} -> {step.after.mode}{f': {changed}' if changed else ''}"
        row = step.move.transition
        told.append((one.obligation.place if row is None else row.place, text))
        before = step.after
    return [
        {
            "executionOrder": number,
            "location": {"physicalLocation": _place(place), "message": {"text": text}},
        }
        for number, (place, text) in enumerate(told, start=1)
    ]


def _place(place: Place) -> dict[str, Json]:
    return {
        "artifactLocation": {"uri": quote(place.file.replace("\\", "/"))},
        "region": {"startLine": place.line, "startColumn": place.column},
    }
