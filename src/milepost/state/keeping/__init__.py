"""Operators' work: jobs kept or deleted, merged, mended, imported. For the manager and above."""
