"""Definition text to the checked lifecycle: the stages in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.checks import check
from milepost_codegen.definition import read_definition
from milepost_codegen.findings import DefinitionError, Findings
from milepost_codegen.resolve import resolve
from milepost_codegen.source import lines_of, read_source

if TYPE_CHECKING:
    from milepost_codegen.findings import Finding
    from milepost_codegen.model import Lifecycle

__all__ = ["Compiled", "compile_definition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A lifecycle without errors, the warnings about it, and the lines that they point into."""

    lifecycle: Lifecycle
    warnings: tuple[Finding, ...]
    lines: tuple[str, ...]


def compile_definition(content: bytes, file: str) -> Compiled:
    """The lifecycle that `content` defines; `file` is its name in findings.

    Raises DefinitionError with all findings, warnings included, if any of them is an error.
    """
    findings = Findings()
    source = read_source(content, file, findings)
    lines = source.lines if source else lines_of(content)
    readable = all(finding.code == "E005" for finding in findings.found)
    written = read_definition(source, findings) if source and readable else None
    if source is None or written is None:
        raise DefinitionError(findings.sorted(), lines)
    resolution = resolve(written, source, findings)
    check(written, resolution, source, findings)
    if findings.fatal:
        raise DefinitionError(findings.sorted(), lines)
    return Compiled(lifecycle=resolution.lifecycle, warnings=findings.sorted(), lines=source.lines)
