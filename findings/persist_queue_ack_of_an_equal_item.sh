#!/bin/sh
# Package    persist-queue 1.1.0 (SQLiteAckQueue), Python 3.11
# Question   A process pool works on what the queue gave, and hands each item back with its result. queue.ack(item) takes the item:
#            which one does it take for done?
# Good guess The one that was taken out and equals it: the items are plain values that came out of a file, and ack offers to take
#            an item where one has no id.
# Behaviour  None. It returns None and raises nothing; a warning is logged. The item stays taken and is given out again by the next
#            process that opens the queue, so what is done is done twice. With threads the same code acknowledges each item.
# Why        It looks for the very object that get() returned (`is`) among those in the memory of this queue; what went through a
#            pickle is equal and another one. Only ids, or get(raw=True), name the row.
# Seen       thread: 1; process: None, None, and one acknowledged; given again: photo 2, photo 3; an equal one with its row: 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q persist-queue==1.1.0
cd "$work"
cat > work.py <<'EOF'
def develop(item):
    return item, len(item["photo"])
EOF
cat > main.py <<'EOF'
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from persistqueue import SQLiteAckQueue
from work import develop

if __name__ == "__main__":
    queue = SQLiteAckQueue("photos")
    for number in (1, 2, 3):
        queue.put({"photo": f"photo {number}"})

    with ThreadPoolExecutor(1) as threads:
        item, _ = threads.submit(develop, queue.get()).result()
        by_thread = queue.ack(item)
    print("thread: ack gave", by_thread)
    assert by_thread == 1

    taken = [queue.get(), queue.get()]
    with ProcessPoolExecutor(1) as processes:
        back = [item for item, _ in processes.map(develop, taken)]
        assert back == taken
        by_process = [queue.ack(item) for item in back]
    print("process: ack gave", by_process, "acked", queue.acked_count())
    assert by_process == [None, None]
    assert queue.acked_count() == 1

    again = SQLiteAckQueue("photos")  # as the next process has it
    given = [again.get(raw=True), again.get(raw=True)]
    print("given again:", [one["data"]["photo"] for one in given])
    assert [one["data"]["photo"] for one in given] == ["photo 2", "photo 3"]
    assert again.ack(dict(given[0])) == 2  # an equal one, which says its row
EOF
"$work/venv/bin/python" main.py
