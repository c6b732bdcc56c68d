"""Logs held against a definition: every fact by the definition as text, without generated code.

`walking` reads a log and asks; `standing` is the job as the definition has it, `members` its items;
`comparing` holds that against what is stored; `departures` says what was found.
"""
