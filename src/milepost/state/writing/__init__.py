"""Changing a job: decisions, appended under the write lock. For all of state but reading."""
