"""Texts of generated files: Python, drawings, reference pages."""
