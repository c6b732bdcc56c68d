"""Bridges: compiled machines in the forms of other tools. They hold no rule of their own."""

from milepost.bridges.carrier import Carrier
from milepost.bridges.problems import NameTaken, PackageMissing
from milepost.bridges.scxml import to_scxml
from milepost.bridges.transitions import to_transitions

__all__ = [
    "Carrier",
    "NameTaken",
    "PackageMissing",
    "to_scxml",
    "to_transitions",
]
