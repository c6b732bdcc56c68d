"""Drawings of a lifecycle and of what two versions differ in: one model, several forms."""
