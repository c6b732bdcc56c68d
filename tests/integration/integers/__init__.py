"""Integers of 64 bits: one rule wherever a job could get one beyond them."""
