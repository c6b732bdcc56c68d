"""A report as a certificate: what was found, by what, and of which definition and code.

The text is the same whenever and with whichever version of the solver it is made.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from milepost_codegen.digest import digest_of_growth, digest_of_text
from milepost_codegen.prove.trim import trimmed
from milepost_codegen.python import emit_python

if TYPE_CHECKING:
    from milepost_codegen.model import Json, Lifecycle
    from milepost_codegen.prove.report import Lemma, Report, Result
    from milepost_codegen.prove.system import Run

__all__ = ["certificate_text", "code_digests", "document_of_lemmas"]

_SCHEMA: Final = "milepost.certificate/1"


def certificate_text(report: Report) -> str:
    """The certificate of a report, as JSON with an obligation on each line.

    Cost: the proofs that rest on lemmas are asked again, to leave out what none of them needs.
    """
    report = trimmed(report, solver=bool(report.solver))
    lifecycle = report.lifecycle
    head: dict[str, Json] = {
        "schema": _SCHEMA,
        "lifecycle": lifecycle.name,
        "version": lifecycle.version,
        "digest": report.digest,
        "growth": digest_of_growth(lifecycle),
        "code": {**code_digests(lifecycle)},
        "solver": report.solver.partition(" ")[0],
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    lines.append(' "lemmas": [')
    lines += _listed([_compact(one) for one in document_of_lemmas(report.lemmas)])
    lines += [" ],", ' "obligations": [']
    ordered = sorted(report.results, key=lambda one: one.obligation.key)
    lines += _listed([_compact(_obligation(one)) for one in ordered])
    lines.append(" ]")
    return "\n".join(("{", *lines, "}")) + "\n"


def code_digests(lifecycle: Lifecycle) -> dict[str, str]:
    """The digests of the code that is generated from this version alone, by file.

    It is the code that looks at every invariant, whatever a certificate says, and that knows of no
    earlier versions: what runs are replayed on.
    """
    return {f"{lifecycle.name}.py": digest_of_text(emit_python(lifecycle).encode())}


def document_of_lemmas(lemmas: tuple[Lemma, ...]) -> list[dict[str, Json]]:
    """Lemmas as plain data, each by machine and state, in the definition's own syntax."""
    return [{"machine": one.machine, "state": one.state, "holds": one.text} for one in lemmas]


def _obligation(one: Result) -> dict[str, Json]:
    about = one.obligation
    found: dict[str, Json] = {
        "key": about.key,
        "kind": about.kind,
        "machine": about.machine,
        "subject": about.subject,
        "verdict": one.verdict,
        "method": one.method,
    }
    if one.lemmas:
        found["lemmas"] = [dict(lemma) for lemma in document_of_lemmas(one.lemmas)]
    if one.run is not None:
        found["run"] = _run(one.run)
    if one.asked is not None:
        found["asked"] = {"event": one.asked.event, "payload": dict(one.asked.payload)}
    if one.cycle is not None:
        found["cycle"] = one.cycle
    return found


def _run(run: Run) -> dict[str, Json]:
    """A run as what it takes to take it again: the start, and each move with its payload."""
    return {
        "start": dict(run.start.values),
        "steps": [
            {"move": step.move.name, "payload": dict(step.payload), "state": step.after.mode}
            for step in run.steps
        ],
    }


def _compact(document: dict[str, Json]) -> str:
    return json.dumps(document, separators=(", ", ": "))


def _listed(texts: list[str]) -> list[str]:
    last = len(texts) - 1
    return [f"  {text}{'' if number == last else ','}" for number, text in enumerate(texts)]
