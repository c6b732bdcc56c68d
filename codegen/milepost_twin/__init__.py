"""Writes the awaited twin of the manager from the manager's source: a tool of the developers.

`reading.py` reads the classes into a neutral model (`model.py`), `writing.py` writes the twin.
Nothing is imported from the source that is read, so that a broken twin never hinders the next.
"""
