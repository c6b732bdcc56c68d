"""What the prover says, against what every run of small definitions shows."""
