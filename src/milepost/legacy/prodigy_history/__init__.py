"""Jobs of the tool Prodigy as logs of this project: facts that are legal one after the other.

`names_of(reading)` gives each job its id here, `log_of(old, ...)` the whole log. Nothing is read
from a disk or written to one.
"""

from milepost.legacy.prodigy_history.fingerprint import fingerprint_of
from milepost.legacy.prodigy_history.history import log_of
from milepost.legacy.prodigy_history.names import Named, names_of
from milepost.legacy.prodigy_history.notes import lines_of

__all__ = ["Named", "fingerprint_of", "lines_of", "log_of", "names_of"]
