"""Runs that cover a lifecycle: every row, every adjacent pair, every condition both ways."""

from milepost_codegen.prove.traces.coverage import Coverage, cover

__all__ = ["Coverage", "cover"]
