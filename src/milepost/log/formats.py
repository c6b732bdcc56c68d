"""The number of the format that facts are stored in."""

from __future__ import annotations

from typing import Final

__all__ = ["FORMAT"]

FORMAT: Final = 4
"""The newest version of all facts; raised when a reader of the old could misread the new.

What readers of an older one take as it is meant is still written in that one (`facts.format_of`).
"""
