"""The window of a run: how many calls it holds at once."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Window"]


@dataclass(slots=True)
class Window:
    """How many calls are held at once: more as long as they end faster than commits are made."""

    least: int
    most: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.least

    def adapt(self, *, held: int, ended: int) -> None:
        """Learn from the last turn: `ended` of `held` calls had ended when it was looked at."""
        if ended == held >= self.size:  # the workers had run dry
            self.size = min(self.most, self.size * 2)
        elif ended * 4 < self.size:
            self.size = max(self.least, self.size // 2)
