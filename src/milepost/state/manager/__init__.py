"""StateManager: the one door to the state of jobs; it joins the parts and decides nothing.

Each part is a class of its own on what all of them work with (`core.py`), so that each can be read
alone; whoever uses the manager sees one object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import arguments
from milepost.state.manager import work
from milepost.state.manager.events import Events
from milepost.state.manager.failures import Failures
from milepost.state.manager.jobs import Jobs
from milepost.state.manager.operating import Operating
from milepost.state.manager.records import Records
from milepost.state.manager.recoveries import Recoveries
from milepost.state.manager.retention import Retention
from milepost.state.manager.said import Said

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from milepost.clock import Clock
    from milepost.log.payloads import PayloadCodec
    from milepost.machine import Lifecycle
    from milepost.state.limits import Limits
    from milepost.stores.opening import Create, Durability

__all__ = ["StateManager"]


class StateManager(Jobs, Events, Recoveries, Retention, Records, Failures, Said, Operating):
    """The state of the jobs in one store. Safe for any number of threads; use it as a context.

    Every method that changes a job returns the state of which the change is a durable part; when
    a method raises, nothing was changed unless its error says so.
    """

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        create: Create = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        lifecycle: Lifecycle | None = None,
        lifecycles: Sequence[Lifecycle] = (),
        earlier: Sequence[Lifecycle] = (),
        allow_network: bool = False,
        clock: Clock | None = None,
        payload_codec: PayloadCodec | None = None,
        limits: Limits | None = None,
        legacy: str | Path | None = None,
    ) -> StateManager:
        """A manager on the store at `url`.

        Args:
            url: A path, `sqlite:///jobs.db`, `postgresql://USER@HOST/DATABASE` or `memory:`.
            create: Make a file that does not exist; with `"folders"` also the folders that lead to
                it.
            read_only: Write nothing, and wait for no writer.
            durability: With `"full"`, acknowledged commits survive power loss; with `"process"`,
                they survive `kill -9` (INV-ACK).
            busy_timeout_s: How many seconds a writer waits for its turn.
            lifecycle: The lifecycle of new jobs. The built-in one, if neither this nor `lifecycles`
                is given; its jobs can be read and go on in any case.
            lifecycles: Several lifecycles for one store. The first is the one of new jobs that name
                none.
            earlier: Earlier versions of these. Jobs that were left under one go on under the
                current version, as far as its upgrades lead: reading shows them so, and the first
                write records the change.
            allow_network: Open a file on a network file system all the same.
            clock: The clock that commits are dated by, for tests. Else the store's own, or the
                machine's.
            payload_codec: What results, messages and item values pass through, encryption say. All
                who read them need it.
            limits: Which values and commits are too large.
            legacy: A folder that another tool kept its jobs in, as `upkeep.import_jobs` takes it. A
                job that is not in the store and is there is imported when it is first asked for; a
                manager that is `read_only` says so in its JobAbsent.

        Returns:
            The manager. Use it as a context, or close it.

        Raises:
            LifecycleUnfit: No store can keep jobs of this lifecycle, or two have one name.
            ValueError: The codec has no usable name or digest key.
            StoreAbsent: There is no such file, or no such old home.
            StoreForeign: The file is not one of ours.
            StoreNewer: A later version of Milepost wrote it.
            StoreUnreadable: It is damaged.
            StoreUnsafe: It is on a network file system, or on one that cannot lock.
            StoreLocked: Another process held it for longer than `busy_timeout_s`.
        """
        work.catalogue_of(lifecycle, lifecycles, earlier)  # or refused, before anything is made
        if legacy is not None:
            legacy = work.old_homes.old_home(arguments.path("legacy", legacy))
        store = work.open_store(
            url,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
            allow_network=allow_network,
        )
        try:
            return cls(
                store,
                lifecycle=lifecycle,
                lifecycles=lifecycles,
                earlier=earlier,
                clock=clock,
                payload_codec=payload_codec,
                limits=limits,
                legacy=legacy,
            )
        except BaseException:
            store.close()
            raise
