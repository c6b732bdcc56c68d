"""`milepost diagram`: a job's own path on the drawing of its lifecycle."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.naming import check_names, completed_by, job_argument, machines
from milepost.cli.options import examples, with_store
from milepost.cli.output import note, write_format
from milepost.cli.session import find_job, session_of
from milepost.inspect import diagram as diagrams
from milepost.inspect import path as model
from milepost.inspect.json import as_json, to_json
from milepost.process.files import whole_file
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
    help="Write to this file, whole or not at all, and not to stdout.",
)
@click.option(
    "--machine",
    metavar="NAME",
    shell_complete=completed_by(machines),
    help="The path of all items that run by this machine, and not the job's own.",
)
@click.option("--mermaid", is_flag=True, help="Mermaid text and not SVG.")
@with_store
@click.pass_context
def diagram(
    context: click.Context, *, job: str, out: Path | None, machine: str | None, mermaid: bool
) -> None:
    """Draw a job's own path on its lifecycle, as SVG.

    What it has been through, how often, and where it is now. JOB is the job's id, or a beginning of
    it that no other job has. With --json: the path itself.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        lifecycle = manager.get_state(job_id).lifecycle
        check_names([machine] if machine else (), machines, "machine", lifecycle)
        view = model.path(manager, job_id, machine=machine or lifecycle.root)
    if session.as_json:
        drawn, escape = to_json(view), as_json
    elif mermaid:
        drawn, escape = diagrams.mermaid(view, lifecycle), diagrams.as_mermaid
    else:
        drawn, escape = diagrams.svg(view, lifecycle), diagrams.as_xml
    if out is None:
        write_format(drawn, escape)
    else:
        with whole_file(out) as file:
            file.write(drawn.encode())
        note(f"wrote {printable(str(out))}")
