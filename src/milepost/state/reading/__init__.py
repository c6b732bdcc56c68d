"""Reading jobs back; nothing here writes. For all of state but its limits and stores."""
