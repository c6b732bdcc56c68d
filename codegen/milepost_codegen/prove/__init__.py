"""Whether a lifecycle keeps what it promises: obligations, proofs, and runs that break them."""
