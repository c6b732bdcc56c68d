"""`python -m milepost_twin`: write the twins, or tell with `--check` how they differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from milepost.text.escapes import lenient, printable
from milepost_codegen.header import read_header
from milepost_twin.model import Twin, TwinFault
from milepost_twin.reading import Reader
from milepost_twin.writing import TOOL, written

__all__ = ["TWINS", "main"]

TWINS: Final = (
    Twin(
        module="milepost.state.manager",
        name="StateManager",
        twin_module="milepost.aio.manager",
        twin_name="AsyncStateManager",
        base_module="milepost.aio.base",
        base="Base",
        doc="""A StateManager whose methods are awaited.

Coroutines that `record` or `fire` at once share a commit, any number of them, and one thread.
Other calls run side by side in up to `threads` threads, which read the iterables and call the
functions that a call is given. A coroutine that is cancelled while it waits takes nothing back,
but a lease that it waited for is given back.
""",
        through="self.manager",
    ),
    Twin(
        module="milepost.state.manager.upkeep",
        name="Upkeep",
        twin_module="milepost.aio.upkeep",
        twin_name="AsyncUpkeep",
        base_module="milepost.aio.base",
        base="Part[Upkeep]",
        doc="""The operator's side of a manager: `await manager.upkeep.repair("words", apply=True)`.

Executors need none of it. With `apply=False`, which is the default everywhere, nothing is
changed, and the answer says what would be.
""",
        through="self.part",
    ),
)


def texts(root: Path) -> Iterator[tuple[Path, str, str]]:
    """The path of each twin below `root`, its text, and the digest of its source."""
    twins = {twin.name: twin for twin in TWINS}
    reader = Reader(root, twins)
    for twin in TWINS:
        source = reader.source(twin)
        path = root.joinpath(*twin.twin_module.split(".")).with_suffix(".py")
        yield path, written(twin, source, twins), source.digest


def drift(path: Path, text: str, digest: str) -> str:
    """How the file at `path` differs from `text`, `""` if it does not."""
    if not path.exists():
        return f"the file is missing: run '{TOOL.generate}'"
    content = path.read_bytes()
    if content.replace(b"\r\n", b"\n") == text.encode():
        return ""
    header = read_header(content)
    if header is None or not header.intact:
        return f"the file was edited by hand: edit its source, then run '{TOOL.generate}'"
    if header.source_digest != digest:
        return f"the file is out of date with {header.source}: run '{TOOL.generate}'"
    return f"the file was written by another version of the tool: run '{TOOL.generate}'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what differs, or name it with `--check`; the exit code is 1 where something does."""
    parser = argparse.ArgumentParser(prog="milepost_twin", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a drift")
    parser.add_argument(
        "--root", type=Path, default=Path("src"), help="the folder that holds the package"
    )
    options = parser.parse_args(arguments)
    found = False
    try:
        for path, text, digest in texts(options.root):
            problem = drift(path, text, digest)
            if not problem:
                continue
            found = True
            if options.check:
                print(f"{printable(path.as_posix())}: {problem}", file=sys.stderr)  # noqa: T201
            else:
                path.write_text(text, encoding="utf-8")
                print(printable(path.as_posix()))  # noqa: T201
    except (TwinFault, OSError, SyntaxError) as fault:
        print(f"error: {printable(str(fault))}", file=sys.stderr)  # noqa: T201
        return 2
    return 1 if found and options.check else 0


if __name__ == "__main__":
    lenient(sys.stdout, sys.stderr)
    sys.exit(main())
