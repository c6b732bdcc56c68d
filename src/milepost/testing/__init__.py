"""What users import to test their own lifecycles, stores and executors."""

from milepost.testing.clock import FakeClock

__all__ = ["FakeClock"]
