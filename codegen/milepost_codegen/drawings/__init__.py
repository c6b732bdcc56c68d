"""Sketches of definitions, and the drawing of the difference of two versions."""
