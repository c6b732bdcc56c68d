"""Compiled lifecycles. Generated: edit the definition and run `milepost compile`."""
