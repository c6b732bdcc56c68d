"""Run as a process of its own: records item after item, and says each that was acknowledged."""

from __future__ import annotations

import sys

from milepost import ItemEvent, StateManager
from milepost.errors import StoreError

__all__ = ["ITEMS"]

ITEMS = 400


def main(url: str, durability: str, count: int) -> None:
    with StateManager.open(url, create=False, durability=durability) as manager:  # type: ignore[arg-type]
        done = manager.get_state("j").progress.done
        for ordinal in range(done, done + count):
            try:
                manager.record("j", [ItemEvent(ordinal, "start")])
                manager.record("j", [ItemEvent(ordinal, "succeed", {"result": ordinal})])
            except StoreError as error:
                print(f"lost {error.code}", flush=True)
                return
            print(ordinal, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
