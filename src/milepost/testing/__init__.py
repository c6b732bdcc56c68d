"""What users import to test their own lifecycles, stores and executors.

`FakeClock` needs nothing else. `lifecycle_machine` needs the extra `testing`, and so do the
harnesses in folders of their own: `contracts` for stores and executors, `deaths` for runs that are
killed and stalled, `histories` for what several were answered, `power` for what is left when the
power is cut.
"""

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.definition import NotUnderstood
    from milepost.testing.clock import FakeClock
    from milepost.testing.lifecycle import lifecycle_machine

__all__ = ["FakeClock", "NotUnderstood", "lifecycle_machine"]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "FakeClock": "milepost.testing.clock",
        "NotUnderstood": "milepost.definition",
        "lifecycle_machine": "milepost.testing.lifecycle",
    },
)
