"""Power cuts and I/O errors, for any code that uses SQLite through apsw: see docs/how-to.

harness    cuts the power and fails calls under a story, again and again
trial      holds what is left to what was promised; failure is what it raises
playing    what a story has of its machine; one playing of it
findable   what can be promised
judging    what a judge has of the machine after its next boot
shrinking  the smallest image that is wrong
wording, repeating  what was lost, in words; a case as a short text
medium, images      pure: what was done to files, and what a cut may leave of it
recorder, faults    VFSes: one notes what is done, one fails calls
cutting    the positions of a recording
plugin     the fixture of pytest; the only module that needs it

Of Milepost nothing is used. The model of the medium stands in docs/how-to/cut-the-power.md.
"""

from milepost.testing.power.failure import NotAsPromised
from milepost.testing.power.harness import Cutting, Failing, Power
from milepost.testing.power.judging import Left
from milepost.testing.power.playing import Running

__all__ = ["Cutting", "Failing", "Left", "NotAsPromised", "Power", "Running"]
