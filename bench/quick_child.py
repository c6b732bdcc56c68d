"""Run as a process of its own: counts one workload or one command, and prints what was counted.

`command` begins as a bare interpreter, so it imports nothing before it counts.
"""

import sys

from counting import counts_of_python


def command(words: list[str]) -> dict[str, int]:
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

    return counts_of_python(program if words else import_manager)


def workload(name: str, store: str, units: int) -> dict[str, int]:
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


def build() -> dict[str, int]:
    """Makes the store that commands look at."""
    from pathlib import Path  # noqa: PLC0415 see above

    from workloads import build_store  # noqa: PLC0415

    build_store(Path())
    return {}


def main(what: str, *words: str) -> None:
    if what == "command":
        counts = command(list(words))
    elif what == "build":
        counts = build()
    else:
        counts = workload(words[0], words[1], int(words[2]))
    import json  # noqa: PLC0415 the commands begin without it

    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
