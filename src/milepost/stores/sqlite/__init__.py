"""The SQLite store: one file, how it is read, written and looked after. For state and above."""
