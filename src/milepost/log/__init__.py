"""The log as it is stored: facts, rows, how one becomes the other. For items, stores and above."""
