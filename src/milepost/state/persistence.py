"""A store, from outside: what it has to offer, and how one is opened by its URL.

Both stand in `milepost.stores`; this is their name for users and for whoever writes a store.
"""

from __future__ import annotations

from milepost.stores.opening import Create, Durability, open_store
from milepost.stores.protocol import Reader, Rows, StateStore, Writer

__all__ = ["Create", "Durability", "Reader", "Rows", "StateStore", "Writer", "open_store"]
