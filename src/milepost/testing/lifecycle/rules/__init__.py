"""Random rules: what two managers on one store may do to a job, against its definition."""
