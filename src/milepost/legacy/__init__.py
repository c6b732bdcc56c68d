"""Readers of the state that other tools left behind; nothing here is loaded unless asked for."""
