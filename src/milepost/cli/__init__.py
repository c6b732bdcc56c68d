"""The `milepost` command: what people ask of a store of jobs, and the few things they may do."""

from milepost.cli.program import main

__all__ = ["main"]
