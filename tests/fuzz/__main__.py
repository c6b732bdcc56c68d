"""Let corpora grow: python -m tests.fuzz [TARGET...] [--examples N] [--seed N] [--again].

`--again` writes anew what the kept cases give, after a change that is meant.
"""

from __future__ import annotations

import argparse

from tests.fuzz.every import TARGETS
from tests.fuzz.target import Kept, grown, keep, kept


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="all if none is named")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    for name in asked.targets or TARGETS:
        target = TARGETS[name]
        if asked.again:
            keep(name, [Kept(one.case, target.answer(one.case).gives) for one in kept(name)])
            continue
        new, tried = grown(target, asked.examples, asked.seed)
        keep(name, [*kept(name), *new])
        print(f"{name}: {tried} tried, {len(new)} kept")


if __name__ == "__main__":
    main()
