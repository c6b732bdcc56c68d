"""Mutation testing: one change at a time in code that decides, which some test has to notice."""
