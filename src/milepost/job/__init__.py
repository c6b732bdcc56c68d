"""The state of one job as a value, and how facts move it; opens no store. For state and above."""
