"""Whether conditions can hold, decided without a solver and with bounded work."""
