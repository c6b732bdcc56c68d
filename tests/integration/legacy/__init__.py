"""The state of another tool, read from trees that are made here in all its formats."""
