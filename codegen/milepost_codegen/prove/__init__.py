"""Whether a lifecycle keeps what it promises: obligations, proofs, and runs that break them."""

from milepost_codegen.prove.check import check_lifecycle

__all__ = ["check_lifecycle"]
