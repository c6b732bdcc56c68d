"""What z3 decides of a system: the only folder that imports z3, and not before it is asked."""
