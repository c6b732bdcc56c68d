"""The commands `milepost compile`, `milepost diff` and `milepost schema`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milepost.drawings.svg import RendererFailed, RendererMissing, render_svg
from milepost.text.escapes import printable, printable_lines
from milepost_codegen.certificate import CertificateUnreadable, Proofs, proofs_in
from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import compare
from milepost_codegen.diff.document import document
from milepost_codegen.diff.text import render_text
from milepost_codegen.drawings.diff import emit_diff
from milepost_codegen.findings import DefinitionError, Finding, render
from milepost_codegen.outputs import Definition, Output, outputs
from milepost_codegen.project import ProjectAbsent, ProjectProblem, Source, Target, find_project
from milepost_codegen.reading import compiled_text, document_of_finding, echo_json
from milepost_codegen.roles_text import document_of_roles, section, summary
from milepost_codegen.schema import schema_text
from milepost_codegen.write import diff, drift, orphans, shown, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milepost_codegen.model import Lifecycle

__all__ = ["compile_command", "diff_command", "schema_command"]

_SCHEMA: Final = "milepost.compile/1"
_DIFF_LINES: Final = 100
_DIFFERS: Final = 1
_TROUBLE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What one run compiles; `sources` limits which orphans are its business."""

    root: Path
    targets: tuple[Target, ...]
    sources: tuple[str, ...] | None


@click.command("compile")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write everything to this folder.",
)
@click.option(
    "--earlier",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="An earlier version of FILE under which jobs may be stored; may be given again.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if anything would change.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; show what would change.")
@click.option(
    "--roles", "show_roles", is_flag=True, help="Write nothing; show the roles, inferred ones too."
)
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON on standard output.")
@click.pass_context
def compile_command(
    context: click.Context,
    *,
    file: Path | None,
    out: Path | None,
    earlier: tuple[Path, ...],
    check: bool,
    show_diff: bool,
    show_roles: bool,
    as_json: bool,
) -> None:
    """Generate tables, diagrams and reference pages from lifecycle definitions.

    Without FILE, every lifecycle that [tool.milepost] of the nearest pyproject.toml lists.
    """
    if show_roles:
        context.exit(_show_roles(file, as_json=as_json))
    try:
        work = _work(file, out, earlier)
        made, told, findings = _compiled(work, as_json=as_json)
    except (ProjectProblem, OSError, RendererFailed) as problem:
        click.echo(f"milepost compile: {printable(str(problem))}", err=True)
        context.exit(_TROUBLE)
    failed = any(finding.severity == "error" for finding in findings)
    if not failed and (check or show_diff):
        if any(output.text is None for output in made):
            click.echo(f"note: drawings are not checked: {RendererMissing()}", err=True)
        found = _differences(made, work, limit=None if show_diff else _DIFF_LINES, quiet=as_json)
        findings += found
        failed = bool(found)
        if not as_json:
            click.echo(render(found, ()), err=True, nl=False)
    elif not failed:
        undrawn = sum(output.text is None for output in made)
        if undrawn:
            click.echo(f"note: {undrawn} SVG not written: {RendererMissing()}", err=True)
        for path in write(made):
            click.echo(f"wrote {printable(shown(path, work.root))}", err=True)
        for line in told:
            click.echo(line, err=True)
    if as_json:
        echo_json({"schema": _SCHEMA, "findings": [document_of_finding(f) for f in findings]})
    context.exit(_DIFFERS if failed else 0)


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw both versions in one picture, to this file.",
)
@click.pass_context
def diff_command(
    context: click.Context, *, old: Path, new: Path, as_json: bool, svg: Path | None
) -> None:
    """Say what changed from OLD to NEW, and whether stored jobs survive it.

    Exit codes: 0 compatible, or migrated by NEW's own migrations; 1 breaking; 2 a file cannot be
    read, or is no definition.

    \b
    Examples:
      milepost diff released.yaml statemachine.yaml
      milepost diff released.yaml statemachine.yaml --svg changes.svg
    """  # noqa: D301  # click's mark of a paragraph that is not to be wrapped
    try:
        before, after = _read(old), _read(new)
        if before is None or after is None:
            context.exit(_TROUBLE)
        report = compare(before, after)
        if svg is not None:
            svg.write_text(render_svg(emit_diff(before, after)), encoding="utf-8")
    except (OSError, RendererFailed, RendererMissing) as problem:
        click.echo(f"milepost diff: {printable(str(problem))}", err=True)
        context.exit(_TROUBLE)
    if as_json:
        echo_json(document(report))
    else:
        click.echo(printable_lines(render_text(report)), nl=False)
    context.exit(_DIFFERS if report.verdict == "breaking" else 0)


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of lifecycle definitions, for editors."""
    click.echo(schema_text(), nl=False)


def _show_roles(file: Path | None, *, as_json: bool) -> int:
    """Print the roles of FILE, or of every lifecycle of the project; the exit code."""
    findings: list[Finding] = []
    try:
        targets: Sequence[Source | Target] = (
            find_project(Path.cwd()).targets
            if file is None
            else (Source(source=file, name=str(file)),)
        )
        read = [_definition(one, findings, as_json=as_json) for one in targets]
    except (ProjectProblem, OSError) as problem:
        click.echo(f"milepost compile: {printable(str(problem))}", err=True)
        return _TROUBLE
    lifecycles = [one.lifecycle for one in read if one is not None]
    if as_json:
        told = [part for one in lifecycles for part in document_of_roles(one)]
        found = [document_of_finding(finding) for finding in findings]
        echo_json({"schema": _SCHEMA, "findings": found, "roles": told})
    else:
        click.echo(printable_lines("\n".join(map(section, lifecycles))), nl=False)
    return _DIFFERS if any(finding.severity == "error" for finding in findings) else 0


def _read(file: Path) -> Lifecycle | None:
    """The lifecycle in `file`, or None with its findings printed, if there are errors.

    Warnings are another command's business.
    """
    try:
        return compile_definition(file.read_bytes(), str(file)).lifecycle
    except DefinitionError as problem:
        click.echo(render(problem.findings, problem.lines), err=True, nl=False)
        return None


def _work(file: Path | None, out: Path | None, earlier: Sequence[Path]) -> _Work:
    """What is to be compiled: FILE alone, or the whole project."""
    here = Path.cwd()
    if file is not None and out is not None:
        before = tuple(Source(source=one, name=one.name) for one in earlier)
        target = Target(
            source=file, name=file.name, python=out, diagrams=out, reference=out, earlier=before
        )
        names = (file.name, *(one.name for one in before))
        return _Work(root=here, targets=(target,), sources=names)
    if earlier:
        raise ProjectProblem(
            "--earlier goes with FILE and --out; a project says it in its settings"
        )
    try:
        project = find_project((file or here / "here").resolve().parent)
    except ProjectAbsent as problem:
        if file is None:
            raise
        raise _unlisted(file) from problem
    if file is None and out is None:
        return _Work(root=project.root, targets=project.targets, sources=None)
    if file is None:
        targets = tuple(
            replace(one, python=out, diagrams=out, reference=out) for one in project.targets
        )
        return _Work(root=here, targets=targets, sources=_names(targets))
    chosen = tuple(one for one in project.targets if one.source.resolve() == file.resolve())
    if not chosen:
        raise _unlisted(file)
    return _Work(root=project.root, targets=chosen, sources=_names(chosen))


def _unlisted(file: Path) -> ProjectProblem:
    """That nobody says where the outputs of a named file lie, and how to say it."""
    return ProjectProblem(
        f"no [tool.milepost] of a pyproject.toml lists {file}, so nothing says where its outputs"
        " are: name their folder with --out DIR"
    )


def _names(targets: Sequence[Target]) -> tuple[str, ...]:
    return tuple(name for one in targets for name in (one.name, *(old.name for old in one.earlier)))


def _compiled(work: _Work, *, as_json: bool) -> tuple[list[Output], list[str], list[Finding]]:
    """The outputs of all targets, lines on their roles, and all findings, also printed."""
    made: list[Output] = []
    told: list[str] = []
    findings: list[Finding] = []
    for target in work.targets:
        own = _definition(target, findings, as_json=as_json)
        before = [_definition(one, findings, as_json=as_json) for one in target.earlier]
        earlier = [one for one in before if one is not None]
        if own is not None and len(earlier) == len(before):
            proofs = _proofs(target, own.lifecycle, findings, as_json=as_json)
            try:
                made.extend(outputs(own, target, earlier, proofs))
            except DefinitionError as problem:
                findings.extend(problem.findings)
                if not as_json:
                    click.echo(render(problem.findings, ()), err=True, nl=False)
                continue
            told.extend(summary(own.lifecycle))
    return made, told, findings


def _proofs(
    target: Target, lifecycle: Lifecycle, findings: list[Finding], *, as_json: bool
) -> Proofs | None:
    """The proofs of the project's certificate, None if it keeps none; a warning is printed, too.

    Raises ProjectProblem for a file that is no certificate.
    """
    if target.certificate is None:
        return None
    try:
        proofs, warning = proofs_in(target.certificate, target.certificate_name, lifecycle)
    except CertificateUnreadable as problem:
        raise ProjectProblem(f"{target.certificate_name}, a certificate: {problem}") from problem
    if warning is not None:
        findings.append(warning)
        if not as_json:
            click.echo(render([warning], ()), err=True, nl=False)
    return proofs


def _definition(
    source: Source | Target, findings: list[Finding], *, as_json: bool
) -> Definition | None:
    """The definition in a file, None if it has errors; what is found is printed and added."""
    content = source.source.read_bytes()
    compiled = compiled_text(content, source.name, findings, quiet=as_json)
    if compiled is None:
        return None
    return Definition(lifecycle=compiled.lifecycle, name=source.name, content=content)


def _differences(
    made: Sequence[Output], work: _Work, *, limit: int | None, quiet: bool
) -> list[Finding]:
    """How the files on disk differ from `made`; prints a diff of at most `limit` lines."""
    found: list[Finding] = []
    changes: list[str] = []
    for output in made:
        finding = drift(output, work.root)
        if finding:
            found.append(finding)
            changes.extend(diff(output, work.root))
    found.extend(orphans(made, work.sources, work.root))
    if not quiet:
        _print_cut(changes, limit)
    return found


def _print_cut(lines: Iterable[str], limit: int | None) -> None:
    listed = list(lines)
    for line in listed[:limit]:
        click.echo(printable(line))
    if limit is not None and len(listed) > limit:
        click.echo(f"... {len(listed) - limit} more lines: milepost compile --diff", err=True)
