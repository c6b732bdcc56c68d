"""Declared invariants, enforced while jobs run and looked for in their logs."""
