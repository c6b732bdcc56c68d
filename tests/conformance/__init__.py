"""Logs held against definitions: the plain interpreter, healthy logs, and departures planted."""
