"""A store that a package brings, as docs/how-to/test-a-store.md tests one: ours, under its name."""

from __future__ import annotations

from milepost.state.persistence import Create, Durability, StateStore, open_store


def open_mystore(
    url: str,
    *,
    create: Create = True,
    read_only: bool = False,
    durability: Durability = "full",
    busy_timeout_s: float = 30.0,
) -> StateStore:
    """What the entry points of the schemes `mystore` and `mystore-in-memory` name."""
    if url == "mystore-in-memory://":
        return open_store("memory:")
    return open_store(
        url.replace("mystore://", "sqlite:///", 1),
        create="folders" if create and not read_only else False,
        read_only=read_only,
        durability=durability,
        busy_timeout_s=busy_timeout_s,
    )
