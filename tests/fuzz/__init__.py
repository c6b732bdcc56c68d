"""Inputs of any kind for whatever reads some: kept where they reached something new."""
