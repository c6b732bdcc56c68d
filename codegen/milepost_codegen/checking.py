"""The command `milepost check`: proves lifecycles, and shows what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milepost.drawings.svg import RendererFailed, RendererMissing, render_svg
from milepost.text.escapes import printable
from milepost_codegen.certificate import CertificateUnreadable
from milepost_codegen.certificate import read as read_certificate
from milepost_codegen.findings import nearest
from milepost_codegen.project import ProjectProblem, Source, Target
from milepost_codegen.prove import check_lifecycle
from milepost_codegen.prove.certify import certificate_text
from milepost_codegen.prove.recheck import recheck
from milepost_codegen.prove.replay import replayed
from milepost_codegen.prove.show.document import SCHEMA, document
from milepost_codegen.prove.show.picture import pictures
from milepost_codegen.prove.show.rechecked import render_recheck
from milepost_codegen.prove.show.sarif import sarif
from milepost_codegen.prove.show.snippet import snippet
from milepost_codegen.prove.show.text import render_text
from milepost_codegen.prove.trim import trimmed
from milepost_codegen.reading import compiled_text, document_of_finding, echo_json, sources_of
from milepost_codegen.write import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from milepost_codegen.compiler import Compiled
    from milepost_codegen.findings import Finding
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.recheck import Recheck
    from milepost_codegen.prove.report import Report

__all__ = ["check_command"]

_PROVED: Final = 0
_REFUTED: Final = 1
_TROUBLE: Final = 2
_UNDETERMINED: Final = 3
_VERDICTS: Final = {_PROVED: "proved", _REFUTED: "refuted", _UNDETERMINED: "undetermined"}
_CODES: Final = {verdict: code for code, verdict in _VERDICTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forms:
    """How the answer is to be given."""

    as_json: bool
    as_sarif: bool
    key: str
    verbose: bool

    @property
    def quiet(self) -> bool:
        """True if findings are part of what is printed."""
        return self.as_json or self.as_sarif


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All results with their runs, as JSON.")
@click.option("--sarif", "as_sarif", is_flag=True, help="All results as SARIF 2.1.0.")
@click.option(
    "--snippet", "key", metavar="KEY", default="", help="The run of one result as a program."
)
@click.option(
    "--svg",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Draw the run of each refuted result, to this folder.",
)
@click.option(
    "--certificate",
    metavar="PATH",
    is_flag=False,
    flag_value="",
    help="Write what was found, and by what, to PATH, or where the project keeps it.",
)
@click.option(
    "--recheck",
    "given",
    metavar="PATH",
    is_flag=False,
    flag_value="",
    help="Check the certificate in PATH, or the project's, without searching.",
)
@click.option("--verbose", is_flag=True, help="List what is proved, too.")
@click.pass_context
def check_command(
    context: click.Context,
    *,
    file: Path | None,
    as_json: bool,
    as_sarif: bool,
    key: str,
    folder: Path | None,
    certificate: str | None,
    given: str | None,
    verbose: bool,
) -> None:
    """Prove that a lifecycle keeps what it promises, or show a run that breaks it.

    Without FILE, every lifecycle that [tool.milepost] of the nearest pyproject.toml lists.

    Exit codes: 0 all is proved; 1 something is refuted, or the definition has findings; 2 wrong
    usage, or a file cannot be read; 3 nothing is refuted, and something is undetermined.

    \b
    Examples:
      milepost check statemachine.yaml
      milepost check statemachine.yaml --certificate statemachine.certificate.json
    """  # noqa: D301  # click's mark of a paragraph that is not to be wrapped
    if sum((as_json, as_sarif, bool(key))) > 1:
        raise click.UsageError("--json, --sarif and --snippet exclude each other", context)
    if given is not None and (as_sarif or key or folder or certificate is not None):
        raise click.UsageError("--recheck goes with --json alone", context)
    forms = _Forms(as_json=as_json, as_sarif=as_sarif, key=key, verbose=verbose)
    try:
        sources = sources_of(file)
        if given is not None:
            code = _recheck(_certificates(sources, given), forms)
        else:
            places = () if certificate is None else _certificates(sources, certificate)
            code = _check(sources, forms, folder, dict(places))
    except (ProjectProblem, OSError, RendererFailed, RendererMissing) as problem:
        click.echo(f"milepost check: {printable(str(problem))}", err=True)
        code = _TROUBLE
    context.exit(code)


def _certificates(
    sources: Sequence[Source | Target], path: str
) -> Sequence[tuple[Source | Target, Path]]:
    """The sources that have certificates, with their files: one in PATH, or as the project says.

    Raises ProjectProblem where there is none, or PATH is for several.
    """
    if path:
        if len(sources) != 1:
            raise ProjectProblem("a certificate is of one lifecycle: name its FILE")
        return [(sources[0], Path(path))]
    found = [
        (one, one.certificate)
        for one in sources
        if isinstance(one, Target) and one.certificate is not None
    ]
    if not found:
        raise ProjectProblem(
            "the project keeps no certificate: name one, or say 'certificate' in [tool.milepost]"
        )
    return found


def _check(
    sources: Sequence[Source | Target],
    forms: _Forms,
    folder: Path | None,
    places: Mapping[Source | Target, Path],
) -> int:
    """Check every source, print what was found, write what was asked for; the exit code."""
    findings: list[Finding] = []
    found = [
        (one, compiled_text(one.source.read_bytes(), one.name, findings, quiet=forms.quiet))
        for one in sources
    ]
    proved = {
        one: (compiled, _checked(compiled.lifecycle))
        for one, compiled in found
        if compiled is not None
    }
    checked = list(proved.values())
    reports = [report for _, report in checked]
    if not _told(checked, findings, forms):
        return _TROUBLE
    if folder is not None:
        _draw(reports, folder)
    for one, path in places.items():
        if one in proved:
            _write(path, certificate_text(proved[one][1]))
    _missing(reports)
    return _exit_code(reports, findings)


def _checked(lifecycle: Lifecycle) -> Report:
    """What there is to say of a lifecycle: real runs only, and no lemma that nothing needs."""
    report = replayed(check_lifecycle(lifecycle))
    needed = any(one.lemmas for one in report.results)
    return trimmed(report, solver=bool(report.solver)) if needed else report


def _told(
    checked: Sequence[tuple[Compiled, Report]], findings: Sequence[Finding], forms: _Forms
) -> bool:
    """Print the answer; False if there is none."""
    reports = [report for _, report in checked]
    if forms.as_json:
        echo_json(
            {
                "schema": SCHEMA,
                "verdict": _VERDICTS[_exit_code(reports, findings)],
                "findings": [document_of_finding(one) for one in findings],
                "lifecycles": [document(report) for report in reports],
            }
        )
    elif forms.as_sarif:
        echo_json(sarif(reports, findings))
    elif forms.key:
        return _snippet(reports, forms.key)
    else:
        texts = [
            render_text(report, compiled.lines, verbose=forms.verbose)
            for compiled, report in checked
        ]
        click.echo("\n".join(texts), nl=False)
    return True


def _snippet(reports: Sequence[Report], key: str) -> bool:
    """Print the run of one result as a program; False, and why on stderr, if it has none."""
    every = {
        result.obligation.key: (report, result) for report in reports for result in report.results
    }
    if key not in every:
        with_runs = [name for name, (_, result) in every.items() if result.run is not None]
        near = nearest(key, with_runs)
        advice = f"; did you mean '{near}'?" if near else ""
        told = f"there is no result '{key}'{advice}"
    elif every[key][1].run is None:
        told = f"'{key}' is {every[key][1].verdict} without a run"
    else:
        click.echo(snippet(*every[key]), nl=False)
        return True
    click.echo(f"milepost check: {printable(told)}", err=True)
    return False


def _draw(reports: Sequence[Report], folder: Path) -> None:
    """Write the drawings of all refuted results that have runs."""
    for report in reports:
        for result in report.results:
            if result.verdict != "refuted":
                continue
            for machine, graph in pictures(report, result).items():
                name = f"{report.lifecycle.name}.{result.obligation.key}"
                if machine != result.obligation.machine:
                    name += f".{machine}"
                _write(folder / f"{name}.dot", graph)
                _write(folder / f"{name}.svg", render_svg(graph))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {printable(shown(path, Path.cwd()))}", err=True)


def _missing(reports: Sequence[Report]) -> None:
    """Say that a solver would decide more, where one was missing."""
    if any(not one.solver and one.verdict == "undetermined" for one in reports):
        click.echo(
            "milepost check: z3 is not installed, and would decide more: "
            "pip install 'milepost[prove]'",
            err=True,
        )


def _exit_code(reports: Sequence[Report], findings: Sequence[Finding]) -> int:
    found = {_REFUTED} if findings else set()
    found |= {_CODES[report.verdict] for report in reports}
    if any(not report.solver for report in reports):
        found.add(_UNDETERMINED)  # a success is a proof by the solver
    return _worst(found)


def _worst(codes: Collection[int]) -> int:
    """The exit code of several answers: what is refuted is said before what is open."""
    return next((code for code in (_REFUTED, _UNDETERMINED) if code in codes), _PROVED)


def _recheck(places: Sequence[tuple[Source | Target, Path]], forms: _Forms) -> int:
    """Check the certificates of definitions; the exit code."""
    findings: list[Finding] = []
    found: list[tuple[Recheck, Path]] = []
    for one, path in places:
        content = one.source.read_bytes()
        compiled = compiled_text(content, one.name, findings, quiet=forms.quiet)
        try:
            certificate = read_certificate(path)
        except CertificateUnreadable as problem:
            named = shown(path, Path.cwd())
            raise ProjectProblem(f"{named}, a certificate: {problem}") from problem
        if compiled is not None:
            found.append((recheck(certificate, compiled.lifecycle), path))
    codes = {_CODES[one.verdict] for one, _ in found}
    code = _worst(codes | ({_REFUTED} if findings else set()))
    if forms.as_json:
        echo_json(
            {
                "schema": SCHEMA,
                "verdict": _VERDICTS[code],
                "findings": [document_of_finding(one) for one in findings],
                "rechecks": [one.document() for one, _ in found],
            }
        )
    else:
        texts = [render_recheck(one, shown(path, Path.cwd())) for one, path in found]
        click.echo("".join(texts), nl=False)
    return code
