"""The definition as written to the resolved model, with all that is wrong on the way."""

from milepost_codegen.resolve.lifecycle import Resolution, resolve
from milepost_codegen.resolve.reporter import Doubts

__all__ = ["Doubts", "Resolution", "resolve"]
