"""The generated Python module: a plan that holds every decision, and the text that it becomes."""

from milepost_codegen.python.emit import emit_python

__all__ = ["emit_python"]
