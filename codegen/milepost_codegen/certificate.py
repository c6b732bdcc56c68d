"""Certificates: what a check has proved of a lifecycle, as a file that says of what it is.

A certificate is written by `milepost check --certificate FILE`. The compiler takes from it which
invariants need not be looked at while jobs run, and only where it is of the same meaning.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from milepost.text.escapes import printable
from milepost.text.keys import key_twice
from milepost_codegen.digest import digest_of_growth, digest_of_meaning
from milepost_codegen.findings import Finding, Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from milepost_codegen.model import Lifecycle

__all__ = [
    "SCHEMA",
    "Certificate",
    "CertificateUnreadable",
    "Known",
    "Proofs",
    "Proved",
    "misfit",
    "proofs_in",
    "proved_invariants",
    "read",
]

SCHEMA: Final = "milepost.certificate/1"
_MOST_BYTES: Final = 64 * 1024 * 1024
_TEXTS: Final = ("lifecycle", "digest", "solver")
_OF_OBLIGATIONS: Final = ("key", "kind", "machine", "subject", "verdict", "method")


class CertificateUnreadable(Exception):
    """Why a file is no certificate that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One obligation as a certificate has it; `more` holds what else stands there, as JSON."""

    key: str
    kind: str
    machine: str
    subject: str
    verdict: str
    method: str
    more: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A lemma: what holds in a state of a machine, as text of the definition's own language."""

    machine: str
    state: str
    holds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was found of one version of a lifecycle, whose meaning has that `digest`.

    `code` has the digests of generated files by their names, `solver` is the name of what proved,
    `""` if nothing but search did. `lemmas` are all that the proofs rest on.
    """

    lifecycle: str
    version: int
    digest: str
    growth: str
    code: Mapping[str, str]
    solver: str
    obligations: tuple[Proved, ...]
    lemmas: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """The invariants, each by machine and name, that the certificate of that `name` proves.

    The name is that of its file, as the project gives it.
    """

    name: str
    invariants: frozenset[tuple[str, str]]

    def enforced(self, machine: str, declared: tuple[str, ...]) -> tuple[str, ...]:
        """Those of a machine's `declared` invariants that are not proved, in their order."""
        return tuple(name for name in declared if (machine, name) not in self.invariants)


def read(path: Path) -> Certificate:
    """The certificate in that file. Raises CertificateUnreadable, and OSError as reading does.

    Cost: two passes over at most 64 MiB; nothing in it is run, and nothing is taken for proved
    without its digest being compared (`proved_invariants`).
    """
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise CertificateUnreadable(f"it has more than {_MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        document, twice = json.loads(text), key_twice(text)
    except (ValueError, RecursionError) as problem:  # an UnicodeDecodeError is a ValueError
        raise CertificateUnreadable(f"it is no JSON: {_short(problem)}") from problem
    if twice is not None:
        raise CertificateUnreadable(f"it has the key {_short(twice)} twice in one object")
    found = _mapping(document, "a certificate")
    if found.get("schema") != SCHEMA:
        told = f"its schema is {_short(found.get('schema'))}"
        raise CertificateUnreadable(f"{told}, not {SCHEMA}")
    texts = {name: _text(found, name, "a certificate") for name in _TEXTS}
    version = found.get("version")
    if type(version) is not int:
        raise CertificateUnreadable(f"'version' of a certificate is {_short(version)}, no number")
    code = _mapping(found.get("code", {}), "'code'")
    obligations = found.get("obligations")
    if not isinstance(obligations, list):
        raise CertificateUnreadable(f"'obligations' is {_short(obligations)}, no list")
    lemmas = found.get("lemmas", [])
    if not isinstance(lemmas, list):
        raise CertificateUnreadable(f"'lemmas' is {_short(lemmas)}, no list")
    return Certificate(
        lifecycle=texts["lifecycle"],
        version=version,
        digest=texts["digest"],
        growth=_text(found, "growth", "a certificate") if "growth" in found else "",
        code={name: _text(code, name, "'code'") for name in code},
        solver=texts["solver"],
        obligations=tuple(_proved(one) for one in obligations),
        lemmas=tuple(_known(one) for one in lemmas),
    )


def proofs_in(path: Path, name: str, lifecycle: Lifecycle) -> tuple[Proofs, Finding | None]:
    """The proofs of `lifecycle` in a file that the project calls `name`; none if it does not fit.

    Then the warning as well. Raises as `read`, but for a file that is not there: that is one yet
    to be written.
    """
    try:
        certificate = read(path)
    except FileNotFoundError:
        problem = "there is no such certificate"
        return Proofs(name=name, invariants=frozenset()), _unfit(name, problem)
    problem = misfit(certificate, lifecycle)
    proofs = Proofs(name=name, invariants=proved_invariants(certificate, lifecycle))
    return proofs, _unfit(name, f"the certificate {problem}") if problem else None


def _unfit(name: str, problem: str) -> Finding:
    return Finding(
        code="W901",
        place=Place(file=name, line=1, column=1),
        message=f"{problem}: steps look at every invariant",
        hint=f"run 'milepost check DEFINITION --certificate {name}', then 'milepost compile'",
    )


def misfit(certificate: Certificate, lifecycle: Lifecycle) -> str:
    """Why the certificate says nothing of `lifecycle` as it is; `""` if it is of just that."""
    if certificate.lifecycle != lifecycle.name:
        return f"is of the lifecycle '{certificate.lifecycle}' and not of '{lifecycle.name}'"
    if certificate.version != lifecycle.version:
        return f"is of version {certificate.version}, and this is version {lifecycle.version}"
    grown = certificate.growth and certificate.growth != digest_of_growth(lifecycle)
    if grown or certificate.digest != digest_of_meaning(lifecycle):
        return "was made before the definition was changed last"
    return ""


def proved_invariants(certificate: Certificate, lifecycle: Lifecycle) -> frozenset[tuple[str, str]]:
    """The invariants of `lifecycle` that are proved, each by machine and name.

    None where the certificate is of another lifecycle, or of another meaning: a proof holds for
    the very rows that it was made of. Members' are proved of a member alone, whatever order its
    events come in, an owner's for any number of members.

    Left out is what was proved with the help of lemmas. Contexts that are given by hand, or that a
    migration leads to, are looked at by what is declared, and lemmas are not.
    """
    if misfit(certificate, lifecycle):
        return frozenset()
    declared = {
        (machine.name, invariant.name)
        for machine in lifecycle.machines
        for invariant in machine.invariants
    }
    verdicts: dict[tuple[str, str], set[str]] = {}
    for one in certificate.obligations:
        if one.kind == "invariant":
            verdict = "helped" if one.more.get("lemmas") else one.verdict
            verdicts.setdefault((one.machine, one.subject), set()).add(verdict)
    return frozenset(name for name in declared if verdicts.get(name) == {"proved"})


def _proved(document: object) -> Proved:
    found = _mapping(document, "an obligation")
    texts = {name: _text(found, name, "an obligation") for name in _OF_OBLIGATIONS}
    return Proved(**texts, more={key: found[key] for key in found if key not in texts})


def _known(document: object) -> Known:
    found = _mapping(document, "a lemma")
    texts = (_text(found, name, "a lemma") for name in ("machine", "state", "holds"))
    machine, state, holds = texts
    return Known(machine=machine, state=state, holds=holds)


def _mapping(document: object, what: str) -> dict[str, Any]:  # Any: JSON
    if not isinstance(document, dict):
        raise CertificateUnreadable(f"{what} is {_short(document)}, no mapping")
    return document


def _text(document: Mapping[str, Any], name: str, what: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise CertificateUnreadable(f"'{printable(name)}' of {what} is {_short(value)}, no text")
    return value


def _short(value: object) -> str:
    """A value in at most 60 characters, all of them printable."""
    text = printable(str(value) if isinstance(value, Exception) else repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."
