"""What runs on a worker: one call of the user's code, and what came of it, as data.

A worker imports this folder, `errors`, `arguments` and what those import: the standard library and
msgspec. It opens no store, knows no lifecycle and needs none of the other packages.
"""
