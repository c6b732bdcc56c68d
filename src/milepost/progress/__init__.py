"""How far a run is, for whoever looks: a bar on a terminal, lines in a log, or nothing at all."""
