"""The reference page of a lifecycle, in Markdown."""

from milepost_codegen.reference.page import emit_reference

__all__ = ["emit_reference"]
