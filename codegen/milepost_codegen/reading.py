"""Definition files as commands read them: what is found in them is printed, or kept for JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError, Finding, render
from milepost_codegen.project import ProjectProblem, Source, find_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.compiler import Compiled
    from milepost_codegen.model import Json
    from milepost_codegen.project import Target

__all__ = ["compiled_text", "document_of_finding", "echo_json", "sources_of"]


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


def sources_of(file: Path | None) -> Sequence[Source | Target]:
    """FILE alone, or all lifecycles of the nearest project. Raises ProjectProblem."""
    if file is None:
        return find_project(Path.cwd()).targets
    try:
        project = find_project(file.resolve().parent)
    except ProjectProblem:
        return (Source(source=file, name=file.as_posix()),)
    chosen = [one for one in project.targets if one.source.resolve() == file.resolve()]
    named = [replace(one, source=file, name=file.as_posix()) for one in chosen]
    return named or (Source(source=file, name=file.as_posix()),)
