"""The items of a job: what they are, where their keys are, their states. For job and above."""
