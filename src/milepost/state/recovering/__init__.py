"""Taking a job up again: which items, from which moment, after whom. For recovery and above."""
