"""The contract of an executor: one script of trouble, and what was really called of it."""
