"""What changed between two versions of a lifecycle, and what that does to stored jobs."""

from milepost_codegen.diff.compare import compare
from milepost_codegen.diff.report import Report

__all__ = ["Report", "compare"]
