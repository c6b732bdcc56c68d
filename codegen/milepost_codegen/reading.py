"""Definition files as commands read them: what is found in them is printed, or kept for JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError, Finding, render

if TYPE_CHECKING:
    from milepost_codegen.compiler import Compiled
    from milepost_codegen.model import Json

__all__ = ["compiled_text", "document_of_finding", "echo_json"]


def compiled_text(
    content: bytes, name: str, findings: list[Finding], *, quiet: bool
) -> Compiled | None:
    """The compiled definition in a file's content, None if it has errors.

    What is found is added to `findings`, and printed on stderr unless `quiet`.
    """
    try:
        compiled = compile_definition(content, name)
        found, lines = compiled.warnings, compiled.lines
    except DefinitionError as problem:
        compiled, found, lines = None, problem.findings, tuple(problem.lines)
    if not quiet:
        click.echo(render(found, lines), err=True, nl=False)
    findings.extend(found)
    return compiled


def document_of_finding(finding: Finding) -> dict[str, Json]:
    """A finding as plain data."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "message": finding.message,
        "hint": finding.hint,
    }


def echo_json(answer: object) -> None:
    """Print JSON that is ASCII, and DEL, which `json` leaves as it is, an escape too."""
    click.echo(json.dumps(answer).replace("\x7f", "\\u007f"))
