#!/bin/sh
# Package    rich 15.0.0 (Live, Progress)
# Question   While a bar is shown, sys.stdout is a stand-in. Does it behave as the stream does: count of characters written, encoding,
#            a thread's unfinished line?
# Good guess Yes but for where the lines appear: write() gives the number of characters, encoding is the terminal's.
# Behaviour  write() gives 0 whatever it took, so code that goes by the count writes what was written already. encoding and
#            errors are None, though the stream behind has them. And there is one buffer for all threads: what one begins
#            without a newline becomes the start of the line that another ends.
# Why        write() gives the length of what is left of its argument after it was taken apart; what stands in is a TextIOBase, whose
#            encoding is None; the buffer is the object's.
# Seen       write 0, encoding None; lines ['one two', ' begun']
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q rich==15.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
import sys
import threading

from rich.console import Console
from rich.live import Live

out = io.StringIO()
console = Console(file=out, force_terminal=True, width=40, _environ={"TERM": "xterm"})
stream = sys.stdout
with Live("bar", console=console, auto_refresh=False):
    stand_in = sys.stdout
    assert stand_in is not stream
    written = stand_in.write("whole line\n"), stand_in.write("begun")
    encoding = stand_in.encoding, stand_in.errors
    stand_in.write("\n")

    stand_in.write("one ")
    other = threading.Thread(target=lambda: stand_in.write("two\n"))
    other.start()
    other.join()
    stand_in.write(" begun\n")
assert sys.stdout is stream
lines = [line for line in out.getvalue().replace("\r", "\n").split("\n")]
shown = [line.split("\x1b[2K")[-1] for line in lines]
told = [line for line in shown if "two" in line or line == " begun"]
print("write", written, "encoding", encoding, "lines", told, "stream", stream.encoding)
assert written == (0, 0)
assert encoding == (None, None)
assert stream.encoding is not None
assert told == ["one two", " begun"]
EOF
