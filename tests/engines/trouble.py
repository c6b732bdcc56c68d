"""Functions for items that get into trouble, and the calls that were really made of them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from milepost.executors import WorkItem

__all__ = ["Trouble"]


@dataclass(frozen=True)
class Trouble:
    """Writes down each call in `folder`, by a line that no other call can lose, then does `what`.

    Item "3" is the one in trouble; the others give their value.
    """

    folder: Path
    what: str = ""

    def __call__(self, item: WorkItem) -> object:
        call = self._written(item.key)
        if item.key != "3":
            return item.value
        if self.what == "fails once" and call == 1:
            raise ConnectionError("not yet")
        if self.what == "always fails":
            raise ConnectionError("never")
        if self.what == "dies once" and call == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "always dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hangs":
            time.sleep(7)
        return item.value

    def _written(self, key: str) -> int:
        """Which call for the item this is, from 1."""
        with (self.folder / key).open("ab", buffering=0) as log:
            log.write(b"x")
            return log.tell()

    def calls(self) -> Counter[str]:
        """How many calls were really made, by item."""
        return Counter({each.name: each.stat().st_size for each in self.folder.iterdir()})
