"""What work costs, in counts that no busy machine changes."""
