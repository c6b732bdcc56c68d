"""The documentation site, made of the pages of the repository and of docstrings."""
