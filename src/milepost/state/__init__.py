"""The state of jobs: decisions, checkpoints, leases, recovery over one log. For aio and above."""
