"""StateManager: the one door to the state of jobs; it joins the parts and decides nothing.

Each part is a class of its own on what all of them work with (`core.py`), so that each can be read
alone; whoever uses the manager sees one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milepost import arguments
from milepost.clock import Clock
from milepost.job.versions import catalogue_of
from milepost.log.payloads import PayloadCodec
from milepost.machine import Lifecycle
from milepost.state.keeping import old_homes
from milepost.state.limits import Limits
from milepost.state.manager.events import Events
from milepost.state.manager.jobs import Jobs
from milepost.state.manager.operating import Operating
from milepost.state.manager.records import Records
from milepost.state.manager.recoveries import Recoveries
from milepost.state.manager.retention import Retention
from milepost.state.persistence import Create, Durability, open_store

__all__ = ["StateManager"]


class StateManager(Jobs, Events, Recoveries, Retention, Records, Operating):
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
        """A manager on the store at `url`: a path, `sqlite:///jobs.db` or `memory:`.

        `create` makes a file that does not exist, and `"folders"` also those that lead to it. A
        network file system is refused unless `allow_network`. With durability `full` what was
        acknowledged survives power loss, with `process` it survives kill -9 (INV-ACK). A writer
        waits up to `busy_timeout_s` for its turn. New jobs run by `lifecycle`, or by any of the
        `lifecycles`, by the first unless they say so; without either by the built-in one, whose
        jobs can be read and go on in any case. With the tables of `earlier` versions, jobs that
        were left under those go on under the current one, as far as its upgrades lead: reading
        shows them so, and the first write records the change. Results,
        messages and item values pass through `payload_codec`; all who read them need it. `limits`
        says what is too large. A job that is not here and is in `legacy`, a home of the tool
        Prodigy, is imported when it is first asked for; a manager that is `read_only` says so in
        its JobAbsent. Raises LifecycleUnfit for a lifecycle that no store keeps and for two of one
        name, ValueError for a codec whose name or digest key is none, StoreAbsent
        (of `legacy` too), StoreForeign, StoreNewer, StoreUnreadable, StoreUnsafe, StoreLocked.
        """
        catalogue_of(lifecycle, lifecycles, earlier)  # or refused, before anything is made
        if legacy is not None:
            legacy = old_homes.old_home(arguments.path("legacy", legacy))
        store = open_store(
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
