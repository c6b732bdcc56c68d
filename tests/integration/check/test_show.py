"""The forms of a report: text, JSON, SARIF, and the drawing with the way of a run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema

from milepost.drawings.svg import render_svg
from milepost_codegen.expressions import to_text
from milepost_codegen.findings import Finding, Place
from milepost_codegen.prove.report import Lemma, Report
from milepost_codegen.prove.show.document import document
from milepost_codegen.prove.show.picture import pictures
from milepost_codegen.prove.show.sarif import sarif
from milepost_codegen.prove.show.text import render_text
from tests.integration.check.making import ORDERS, compiled, orders, report_of

SVG = "{http://www.w3.org/2000/svg}"


def told() -> Report:
    """A report with a root cause and what follows from it, and something that is proved."""
    lifecycle, found = orders()
    root = found["invariant"]
    below = replace(found["deterministic"], root=root.obligation.key)
    holds = lifecycle.machines[0].invariants[0].holds
    lemma = Lemma(machine="order", state="sent", holds=holds, text=to_text(holds))
    proved = replace(
        found["gap"], verdict="proved", method="induction", run=None, asked=None, lemmas=(lemma,)
    )
    lost = replace(found["deadlock"], verdict="undetermined", run=None, because="z3 gave up")
    report = report_of(lifecycle, root, below, found["progress"], lost, proved)
    return replace(report, lemmas=(lemma,))


def test_the_text_tells_root_causes_first_and_what_follows_beneath() -> None:
    text = render_text(told(), ORDERS.splitlines())
    first, *parts = text.split("\n\n")
    assert first == (
        "refuted: orders, version 1: 5 obligations, 1 proved, 3 refuted, 1 undetermined"
        " (without a solver)"
    )
    root, cycle, lost, lemmas = parts
    assert re.match(r"orders\.yaml:\d+:\d+: refuted order\.invariant\.few: ", root)
    assert "        few: {holds: tries <= limit}\n        ^\n" in root
    assert "  the shortest run that shows it, 3 steps:\n" in root
    assert "    3  send(number=1)  -> sent    tries 1 -> 2\n" in root
    assert "  few does not hold then: tries <= limit, with tries=2, limit=1\n" in root
    assert "hint: " in root
    assert re.search(r"follows from it:\n    order\.deterministic\.sent\.hold \(", root)
    assert "* on the cycle:" in cycle
    assert "3*  wait" in cycle
    assert "undetermined order.deadlock.held" in lost
    assert "z3 gave up" in lost
    assert "  order:\n    lemma_1: {in: [sent], holds: tries <= limit}" in lemmas
    assert "proved order.gap" not in text
    assert "proved order.gap.packed.give_up" in render_text(told(), (), verbose=True)


def test_what_follows_from_what_follows_stands_beneath_the_first_cause() -> None:
    report = told()
    root, below, cycle, *_ = report.results
    chained = replace(cycle, root=below.obligation.key)
    text = render_text(replace(report, results=(root, below, chained)), ())
    assert text.count("refuted order.") == 1
    listed = text.partition("follows from it:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [
        below.obligation.key,
        cycle.obligation.key,
    ]


def test_a_lemma_can_be_pasted_into_the_definition() -> None:
    text = render_text(told(), ())
    (line,) = re.findall(r"^ +(lemma_1: .*)$", text, re.MULTILINE)
    pasted = ORDERS.replace("    invariants:\n", f"    invariants:\n      {line}\n")
    assert [one.name for one in compiled(pasted).machines[0].invariants] == ["lemma_1", "few"]


def test_the_document_has_every_result_with_its_run() -> None:
    found: dict[str, Any] = json.loads(json.dumps(document(told())))
    assert found["counts"] == {"proved": 1, "refuted": 3, "undetermined": 1}
    by_key = {one["key"]: one for one in found["results"]}
    root = by_key["order.invariant.few"]
    assert by_key["order.deterministic.sent.hold"]["root"] == root["key"]
    assert by_key["order.deterministic.sent.hold"]["asked"] == {"event": "hold", "payload": {}}
    assert root["run"]["start"] == {"state": "packed", "values": {"tries": 0, "limit": 1}}
    assert [one["event"] for one in root["run"]["steps"]] == ["send", "lose", "send"]
    assert root["run"]["steps"][0] == {
        "move": "packed.send",
        "event": "send",
        "subject": "",
        "transition": "packed.send",
        "payload": {"number": 1},
        "state": "sent",
        "changed": {"tries": 1},
        "text": "send(number=1) -> sent tries 0 -> 1",
    }
    assert by_key["order.gap.packed.give_up"]["lemmas"][0]["holds"] == "tries <= limit"


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_MESSAGE = _closed({"text": _TEXT}, "text")
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_LOCATION = _closed(
    {
        "physicalLocation": _closed(
            {
                "artifactLocation": _closed({"uri": {"type": "string", "format": "uri"}}, "uri"),
                "region": _closed(
                    {
                        "startLine": {"type": "integer", "minimum": 1},
                        "startColumn": {"type": "integer", "minimum": 1},
                    },
                    "startLine",
                ),
            },
            "artifactLocation",
        ),
        "logicalLocations": {
            "type": "array",
            "items": _closed({"fullyQualifiedName": _TEXT}, "fullyQualifiedName"),
        },
        "message": _MESSAGE,
    },
    "physicalLocation",
)
_STEP = _closed({"executionOrder": {"type": "integer", "minimum": 0}, "location": _LOCATION})
_FLOW = _closed({"locations": {"type": "array", "minItems": 1, "items": _STEP}}, "locations")
_RESULT = _closed(
    {
        "ruleId": _TEXT,
        "kind": {
            "enum": ["notApplicable", "pass", "fail", "review", "open", "informational"],
        },
        "level": _LEVEL,
        "message": _MESSAGE,
        "locations": {"type": "array", "items": _LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
        "codeFlows": {
            "type": "array",
            "items": _closed(
                {"threadFlows": {"type": "array", "minItems": 1, "items": _FLOW}}, "threadFlows"
            ),
        },
    },
    "message",
)
_RULE = _closed(
    {
        "id": _TEXT,
        "shortDescription": _MESSAGE,
        "help": _MESSAGE,
        "defaultConfiguration": _closed({"level": _LEVEL}),
    },
    "id",
)
SARIF = _closed(
    {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": _closed(
                {
                    "tool": _closed(
                        {
                            "driver": _closed(
                                {
                                    "name": _TEXT,
                                    "version": _TEXT,
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": _RULE,
                                    },
                                },
                                "name",
                            )
                        },
                        "driver",
                    ),
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": _RESULT},
                },
                "tool",
            ),
        },
    },
    "version",
    "runs",
)
"""What SARIF 2.1.0 demands of the part of it that is written, and nothing else in it."""


def test_the_sarif_is_what_the_standard_demands() -> None:
    place = Place(file="folder/an order.yaml", line=3, column=4)
    warning = Finding(code="W401", place=place, message="a gap", hint="close it")
    log: dict[str, Any] = json.loads(json.dumps(sarif((told(),), (warning,))))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    finding, root, _, _, lost, proved = run["results"]
    assert {one["ruleId"] for one in run["results"]} <= rules
    # the standard: what is no failure has the level `none`
    assert all((one["kind"] == "fail") == (one["level"] != "none") for one in run["results"])
    where = finding["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "folder/an%20order.yaml"
    assert (root["kind"], lost["kind"], proved["kind"]) == ("fail", "open", "pass")
    flow = root["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [one["executionOrder"] for one in flow] == [1, 2, 3, 4]
    lines = [one["location"]["physicalLocation"]["region"]["startLine"] for one in flow]
    assert lines[1] == lines[3] != lines[2]  # the rows that were taken
    assert flow[1]["location"]["message"]["text"] == "send(number=1) -> sent: tries 0 -> 1"


def test_the_drawing_has_the_way_of_the_run() -> None:
    report = told()
    (graph,) = pictures(report, report.results[0]).values()
    drawn = ET.fromstring(render_svg(graph))
    of = {one.get("id"): (one.get("class") or "").split() for one in drawn.iter(f"{SVG}g")}
    visited = {name for name, classes in of.items() if "visited" in classes}
    assert {"state-packed", "state-sent"} <= visited
    assert not {"state-held", "state-lost"} & visited
    assert "current" in of["state-sent"]
    assert "order.invariant.few" in "".join(drawn.itertext())
    assert pictures(report, report.results[-1]) == {}


def test_hostile_texts_are_escaped() -> None:
    """A definition's own words do not steer the terminal of who reads about them."""
    report = told()
    one = report.results[0]
    nasty = replace(one.obligation, claim="\x1b[31mred\u202e", key="order.invariant.\x07")
    text = render_text(
        replace(report, results=(replace(one, obligation=nasty, because="a\nb\x1b"),)),
        ["\x1b]0;title\x07"] * 40,
    )
    assert all(char.isprintable() or char == "\n" for char in text)
