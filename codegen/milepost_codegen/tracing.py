"""The command `milepost traces`: runs that cover a lifecycle, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milepost.text.escapes import printable
from milepost_codegen.project import ProjectProblem
from milepost_codegen.prove.traces import cover
from milepost_codegen.prove.traces.document import laid_out
from milepost_codegen.prove.traces.text import render_traces
from milepost_codegen.reading import compiled_text, document_of_finding, sources_of

if TYPE_CHECKING:
    from milepost_codegen.findings import Finding

__all__ = ["traces_command"]

_COVERED: Final = 0
_TROUBLE: Final = 2
_UNKNOWN: Final = 3


@click.command("traces")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All traces as JSON, one on each line.")
@click.pass_context
def traces_command(context: click.Context, *, file: Path | None, as_json: bool) -> None:
    """Show a run to every row, every pair of rows, and every condition both ways.

    A pair is two rows of one machine, taken one after the other. A condition is one comparison or
    one name in a guard, both where it is true and where it is false. Each run was taken on the
    generated code; where there is none, it is proved that there is none, or unknown.

    Without FILE, every lifecycle that [tool.milepost] of the nearest pyproject.toml lists.

    Exit codes: 0 everything is covered, or proved to be impossible; 2 wrong usage, or a file
    cannot be read or has errors; 3 of something neither is known.
    """
    findings: list[Finding] = []
    try:
        found = [
            compiled_text(one.source.read_bytes(), one.name, findings, quiet=as_json)
            for one in sources_of(file)
        ]
    except (ProjectProblem, OSError) as problem:
        click.echo(f"milepost traces: {printable(str(problem))}", err=True)
        context.exit(_TROUBLE)
    coverages = [cover(one.lifecycle) for one in found if one is not None]
    if as_json:
        documents = [document_of_finding(one) for one in findings]
        click.echo(laid_out(coverages, documents), nl=False)
    else:
        click.echo("\n".join(map(render_traces, coverages)), nl=False)
    if len(coverages) < len(found):
        context.exit(_TROUBLE)
    complete = all(one.complete for one in coverages)
    if not complete and not all(one.solved for one in coverages):
        click.echo(
            "milepost traces: z3 is not installed, and would find more: "
            "pip install 'milepost[prove]'",
            err=True,
        )
    context.exit(_COVERED if complete else _UNKNOWN)
