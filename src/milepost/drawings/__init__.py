"""Drawings of machines, from definitions and from compiled tables: one model, one canvas."""
