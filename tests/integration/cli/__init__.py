"""The command line over real stores."""
