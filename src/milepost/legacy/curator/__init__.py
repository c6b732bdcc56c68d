"""Jobs of bespokelabs-curator (0.1): JSON lines of requests, and of the answers to them.

A working folder of curator (`~/.cache/curator`, or `working_dir`) has a folder for each job:

    {job}/requests_{n}.jsonl    a request for each row: all of them are there before the first call
    {job}/metadata_{n}.json     how many they are, written behind them
    {job}/responses_{n}.jsonl   an answer a line, as they came; a failure after its last attempt
    {job}/batch_objects.jsonl   batches that a provider still works on
    {job}/*.arrow, ...          what is made of these files

A line says by `original_row_idx` which row it is of. Nothing is written, no link is followed, and
files, lines and their depth are bounded.
"""

from milepost.legacy.curator.files import Limits
from milepost.legacy.curator.home import CURATOR, open_home
from milepost.legacy.curator.report import Code

__all__ = ["CURATOR", "Code", "Limits", "open_home"]
