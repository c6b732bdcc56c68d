"""The state of jobs: decisions, checkpoints, leases and recovery over one log."""
