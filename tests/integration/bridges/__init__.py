"""Compiled machines in the forms of other tools, against the machines themselves."""
