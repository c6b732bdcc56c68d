"""The keys under which a click context keeps what options said, for the session to find."""

from __future__ import annotations

from typing import Final

__all__ = ["AS_JSON", "DEBUG", "LIFECYCLES", "STORE", "UNPAGED", "UTC"]

STORE: Final = "milepost.store"
"""The store that was named."""

AS_JSON: Final = "milepost.json"
"""Whether the answer is wanted as JSON."""

DEBUG: Final = "milepost.debug"
"""Whether tracebacks are wanted."""

LIFECYCLES: Final = "milepost.lifecycles"
"""The lifecycles that were named, in order."""

UTC: Final = "milepost.utc"
"""Whether times are wanted in UTC on a terminal too."""

UNPAGED: Final = "milepost.unpaged"
"""Whether no pager is wanted."""
