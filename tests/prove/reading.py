"""Definitions resolved whatever the checks say of them, so that the prover sees all of them."""

from __future__ import annotations

from functools import lru_cache

from milepost_codegen.checks import check
from milepost_codegen.definition import read_definition
from milepost_codegen.findings import Finding, Findings
from milepost_codegen.model import Lifecycle
from milepost_codegen.resolve import resolve
from milepost_codegen.source import read_source

__all__ = ["DECIDED", "resolved"]

DECIDED = ("E309", "E405", "E407", "E408", "W401", "W402")
"""Codes of findings that say of a sound definition what the prover decides as well."""


@lru_cache(maxsize=16)  # whoever makes a definition reads it, and then whoever takes it
def resolved(text: str, file: str = "definition.yaml") -> tuple[Lifecycle, tuple[Finding, ...]]:
    """The lifecycle of `text`, and what a compile finds.

    Raises AssertionError where the definition is unsound in itself: it is then no case for a proof.
    """
    findings = Findings()
    source = read_source(text.encode(), file, findings)
    assert source is not None, findings.sorted()
    written = read_definition(source, findings)
    assert written is not None, findings.sorted()
    resolution = resolve(written, source, findings)
    check(written, resolution, source, findings)
    found = findings.sorted()
    assert all(one.code in DECIDED for one in found), found
    return resolution.lifecycle, found
