"""Run as a process of its own: counts one workload or one command, and prints what was counted.

`timed` takes the processor time instead. A command begins as a bare interpreter, so nothing is
imported before it is counted.
"""

from __future__ import annotations

import sys
from time import process_time_ns

from counting import counts_of_python

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Act: TypeAlias = Callable[[], object]
    Counts: TypeAlias = dict[str, int]


def command(words: list[str], count: Callable[[Act], Counts] = counts_of_python) -> Counts:
    """Counts the import of the manager, or, with words, the program from its import to its end."""

    def import_manager() -> None:
        from milepost import StateManager  # noqa: F401, PLC0415 that is what is counted

    def program() -> None:
        from milepost.cli import main  # noqa: PLC0415 see above

        sys.argv = ["milepost", *words]
        try:
            sys.exit(main())
        except SystemExit as end:
            if end.code:
                raise

    return count(program if words else import_manager)


def timed(act: Act) -> Counts:
    """The microseconds of processor that it takes."""
    began = process_time_ns()
    act()
    return {"us": (process_time_ns() - began) // 1_000}


def timed_workload(name: str, store: str, units: int) -> Counts:
    from functools import partial  # noqa: PLC0415 see above
    from pathlib import Path  # noqa: PLC0415

    from workloads import WORKLOADS  # noqa: PLC0415

    place = Path("timed")
    place.mkdir()
    with WORKLOADS[name].prepared(place, Path(store)) as act:
        return timed(partial(act, units))


def workload(name: str, store: str, units: int) -> Counts:
    """Counts files first, which also loads what is loaded late, then the interpreter, afresh."""
    from functools import partial  # noqa: PLC0415 see above
    from pathlib import Path  # noqa: PLC0415

    from counting_files import counted_files  # noqa: PLC0415
    from workloads import WORKLOADS  # noqa: PLC0415

    places = [Path("files"), Path("python")]
    for place in places:
        place.mkdir()
    prepared = WORKLOADS[name].prepared
    with counted_files() as counted, prepared(places[0], Path(store)) as act:
        of_files = counted(partial(act, units))
    with prepared(places[1], Path(store)) as act:
        return counts_of_python(partial(act, units)) | of_files


def build() -> Counts:
    """Makes the store that commands look at."""
    from pathlib import Path  # noqa: PLC0415 see above

    from workloads import build_store  # noqa: PLC0415

    build_store(Path())
    return {}


def main(what: str, *words: str) -> None:
    if what == "command":
        counts = command(list(words))
    elif what == "timed-command":
        counts = command(list(words), timed)
    elif what == "timed":
        counts = timed_workload(words[0], words[1], int(words[2]))
    elif what == "build":
        counts = build()
    else:
        counts = workload(words[0], words[1], int(words[2]))
    import json  # noqa: PLC0415 the commands begin without it

    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
