"""Jobs of the tool Prodigy in words of no tool, which a log is made of.

`PRODIGY` opens a home of it, `told_of(old, name)` tells one job. Nothing here writes to a disk.
"""

from milepost.legacy.prodigy_history.fingerprint import fingerprint_of
from milepost.legacy.prodigy_history.history import told_of
from milepost.legacy.prodigy_history.home import PRODIGY

__all__ = ["PRODIGY", "fingerprint_of", "told_of"]
