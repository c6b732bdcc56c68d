"""All that a store promises, and what managers do on one: one suite for every store."""

from __future__ import annotations

from milepost.testing.contracts.stores.beside import BesideContract
from milepost.testing.contracts.stores.commits import CommitContract
from milepost.testing.contracts.stores.jobs import JobContract
from milepost.testing.contracts.stores.limits import LimitContract
from milepost.testing.contracts.stores.managers import ManagerContract
from milepost.testing.contracts.stores.many import ManyContract
from milepost.testing.contracts.stores.moments import MomentContract
from milepost.testing.contracts.stores.places import PlaceContract
from milepost.testing.contracts.stores.removal import RemovalContract
from milepost.testing.contracts.stores.reopening import ReopeningContract
from milepost.testing.contracts.stores.retention import RetentionContract
from milepost.testing.contracts.stores.values import ValueContract

__all__ = ["StoreContract"]


class StoreContract(
    CommitContract,
    MomentContract,
    ValueContract,
    ManyContract,
    JobContract,
    PlaceContract,
    BesideContract,
    RemovalContract,
    ReopeningContract,
    ManagerContract,
    LimitContract,
    RetentionContract,
):
    """All that `milepost.StateStore` promises, as tests: derive from it and give `store_url`.

    The fixture `store_url` is the URL of a store that nobody has used, another for each test. Where
    stores are opened in a way of their own, give `opener` as well. A store that nobody else can
    open, such as one in memory, says `shared = False`; what needs a second opener is skipped then.

    Each method of the protocol is called. Managers are tried on the store as well, by the built-in
    lifecycle: groups of commits, limits, retention. The store is opened by several managers,
    threads and processes at once; one process kills itself within a commit.
    """
