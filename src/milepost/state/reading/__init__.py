"""What is read back of jobs; nothing here writes. For all of state but its limits and stores."""
