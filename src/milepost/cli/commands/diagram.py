"""`milepost diagram`: a job's own path on the drawing of its lifecycle."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.options import examples, job_argument, with_store
from milepost.cli.output import note, write_format
from milepost.cli.session import find_job, session_of
from milepost.inspect import diagram as diagrams
from milepost.inspect import path as model
from milepost.inspect.json import as_json, to_json
from milepost.job.state import JOB
from milepost.lifecycles.mapreduce import LIFECYCLE
from milepost.text.escapes import printable

__all__ = ["diagram"]


@click.command(
    "diagram",
    epilog=examples(
        "milepost diagram nightly --db jobs.db --out nightly.svg",
        "milepost diagram nightly --db jobs.db --machine item --mermaid",
    ),
)
@job_argument
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file and not to stdout.",
)
@click.option(
    "--machine",
    type=click.Choice(tuple(LIFECYCLE.machines)),
    default=JOB,
    show_default=True,
    help="The job's own path, or that of all its items.",
)
@click.option("--mermaid", is_flag=True, help="Mermaid text and not SVG.")
@with_store
@click.pass_context
def diagram(
    context: click.Context, *, job: str, out: Path | None, machine: str, mermaid: bool
) -> None:
    """Draw a job's own path on its lifecycle, as SVG.

    What it has been through, how often, and where it is now. JOB is the job's id, or a beginning of
    it that no other job has. With --json: the path itself.
    """
    session = session_of(context)
    with session.reading() as manager:
        view = model.path(manager, find_job(manager, job), machine=machine)
    if session.as_json:
        drawn, escape = to_json(view), as_json
    elif mermaid:
        drawn, escape = diagrams.mermaid(view, LIFECYCLE), diagrams.as_mermaid
    else:
        drawn, escape = diagrams.svg(view, LIFECYCLE), diagrams.as_xml
    if out is None:
        write_format(drawn, escape)
    else:
        out.write_text(drawn, encoding="utf-8")
        note(f"wrote {printable(str(out))}")
