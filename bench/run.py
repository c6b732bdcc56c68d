"""Runs the benchmarks, all of them or those named, and prints each figure with its budget."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import apsw

import batches
import before
import durable_peers
import engines
import flatness
import growth
import imports
import inputs
import large
import listeners
import measuring
import pages
import plans
import proofs
import records
import runs
import servers
import sizes
import spaces
import starting
import statements
import steps
import whole_state
from pairing import Figure, Settings

BENCHES: Final[dict[str, Callable[[Settings], Iterable[Figure]]]] = {
    "steps": steps.figures,
    "imports": imports.figures,
    "starting": starting.figures,
    "records": records.figures,
    "statements": statements.figures,
    "before": before.figures,
    "measuring": measuring.figures,
    "batches": batches.figures,
    "large": large.figures,
    "runs": runs.figures,
    "growth": growth.figures,
    "peers": durable_peers.figures,
    "plans": plans.figures,
    "pages": pages.figures,
    "flatness": flatness.figures,
    "sizes": sizes.figures,
    "whole": whole_state.figures,
    "inputs": inputs.figures,
    "spaces": spaces.figures,
    "engines": engines.figures,
    "servers": servers.figures,
    "listeners": listeners.figures,
    "proofs": proofs.figures,
}


def main() -> int:
    args = _arguments()
    found: dict[str, list[Figure]] = {}
    for name in args.names or BENCHES:
        bench = BENCHES[name]
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="milepost-bench-", dir=args.folder) as folder:
            found[name] = list(bench(Settings(folder=Path(folder))))
        if not args.json:
            lines = (sys.modules[bench.__module__].__doc__ or "").splitlines()
            print(f"\n{name}: {lines[0]} [{time.perf_counter() - began:.0f} s]")
            print(_table(found[name]), flush=True)
    if args.json:
        print(json.dumps(_report(found), indent=2))
    else:
        short = [figure for figures in found.values() for figure in figures if _short(figure)]
        print(f"\nfigures that fall short of their budgets: {len(short)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--folder", type=Path, help="measure on the file system of this folder")
    args = parser.parse_args()
    for name in args.names:
        if name not in BENCHES:
            parser.error(f"there is no {name!r}: there are {', '.join(BENCHES)}")
    return args


def _short(figure: Figure) -> bool:
    return figure.budget is not None and not figure.budget.met_by(figure.median)


def _table(figures: Iterable[Figure]) -> str:
    rows = [
        (
            figure.name,
            f"{figure.median:.3g} {figure.unit}",
            f"({min(figure.values):.3g}..{max(figure.values):.3g})",
            f"against {figure.floor}",
            f"{figure.pair[0]:.4g} : {figure.pair[1]:.4g} {figure.pair_unit}",
            _budget(figure),
            figure.verdict,
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    sign = "≤" if figure.budget.bound == "at most" else "≥"
    return f"{sign} {figure.budget.value:g} {figure.unit}"


def _report(found: dict[str, list[Figure]]) -> dict[str, object]:
    return {
        "schema": 1,
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "benches": {
            name: [
                {
                    "name": figure.name,
                    "against": figure.floor,
                    "unit": figure.unit,
                    "median": figure.median,
                    "min": min(figure.values),
                    "max": max(figure.values),
                    "rounds": len(figure.values),
                    "pair": list(figure.pair),
                    "pair_unit": figure.pair_unit,
                    "budget": figure.budget and figure.budget.value,
                    "bound": figure.budget and figure.budget.bound,
                    "verdict": figure.verdict,
                }
                for figure in figures
            ]
            for name, figures in found.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
