"""Which lifecycles there are: named by the caller, the environment, the project, by packages."""

from milepost.discovery.found import Discovery, Found, discover

__all__ = ["Discovery", "Found", "discover"]
