"""Functions for items that get into trouble, and the calls that were really made of them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from milepost.worker.items import WorkItem

__all__ = ["COUNT", "ODD", "Trouble", "Unsendable", "value_of"]

COUNT: Final = 12
"""How many items a job has, unless a test says so."""

ODD: Final[tuple[Any, ...]] = (  # Any: JSON
    *(None, False, True, 0, 0.5, -(2**53) - 1, "", " \x00 \u202eü\U0001f600 ", [], {}),
    [None, [0, False, ""], {"": []}],
    {"a": {"b": [{"c": None}] * 3}, " ": 1.0, "ü": "x" * 70_000},
)
"""What the items give, in their order, where they get into the trouble `gives odd results`."""

_HANGS_S: Final = 7.0
_WAITS_S: Final = 60.0


@dataclass(frozen=True)
class Trouble:
    """Writes down each call in `folder`, by a line that no other call can lose, then does `what`.

    Item "3" is the one in trouble; the others give what `value_of` says. The value of an item is
    its key as a number, and no other is taken.
    """

    folder: Path
    what: str = ""

    def __post_init__(self) -> None:
        """Make the folder, where there is none."""
        self.folder.mkdir(exist_ok=True)

    def __call__(self, item: WorkItem) -> object:
        """What the item's call gives, if it gives anything."""
        call = self._written(item.key)
        if item.value != int(item.key):
            raise ValueError(f"item {item.key!r} was given the value {item.value!r}")
        if self.what == "gives odd results":
            return ODD[item.value]
        if self.what == "waits":
            self._wait()
        if self.what == "notes":
            return self._noted(item, call)
        if item.key == "3":
            self._get_into_it(call)
        return value_of(item.key)

    def _get_into_it(self, call: int) -> None:
        if self.what == "fails once" and call == 1:
            raise ConnectionError("not yet")
        if self.what == "always fails":
            raise ConnectionError("never")
        if self.what == "always dies" or (self.what == "dies once" and call == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hangs once" and call == 1:
            time.sleep(_HANGS_S)

    def _noted(self, item: WorkItem, call: int) -> object:
        """What the first call has noted, by the second."""
        if call == 1:
            item.note(value_of(item.key))
            raise ConnectionError("what was noted is for the next call")
        return item.noted

    def _wait(self) -> None:
        """Until `go` was called, a minute at the most."""
        until_s = time.monotonic() + _WAITS_S
        while not self._sign.exists() and time.monotonic() < until_s:
            time.sleep(0.002)

    def go(self) -> None:
        """Let what waits go on, and what is called from here on not wait at all."""
        self._sign.touch()

    @property
    def _sign(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.go")

    def _written(self, key: str) -> int:
        """Which call for the item this is, from 1."""
        with (self.folder / key).open("ab", buffering=0) as log:
            log.write(b"x")
            return log.tell()

    def calls(self) -> Counter[str]:
        """How many calls were really made, by item."""
        return Counter({each.name: each.stat().st_size for each in self.folder.iterdir()})


def value_of(key: str) -> list[str]:
    """What the item of that key gives: no other gives the same."""
    return ["the result of", key]


@dataclass(frozen=True)
class Unsendable:
    """A function for items that holds what no pickle can carry."""

    lock: Any  # Any: a lock, whose type has no public name

    def __call__(self, item: WorkItem) -> object:
        """What the item's call gives."""
        return value_of(item.key)
