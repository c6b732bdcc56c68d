"""Engines: what makes the calls of a run, and says what only it can know of them."""

from milepost.executors.engines.find import Adapter, register
from milepost.executors.engines.protocol import Engine, Lost, Notes
from milepost.executors.engines.ray import RayEngine

__all__ = ["Adapter", "Engine", "Lost", "Notes", "RayEngine", "register"]
