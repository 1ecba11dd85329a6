#!/usr/bin/python3
"""A receiving server that keeps each message as a file.

    sink.py PORT FOLDER     while FOLDER/refuse exists every recipient is put off with 450
"""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e/lib"))
from sink import Sink  # noqa: E402

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
lock = threading.Lock()
count = 0


def answer(verb, argument):
    global count
    if verb == "RCPT" and (folder / "refuse").exists():
        return "450 4.2.0 not now"
    if verb == "EOM":
        with lock:
            count += 1
            fresh = folder / f".{count}"
            fresh.write_bytes(argument)
            fresh.rename(folder / f"{count}.eml")
    return None


with Sink(port=port, answer=answer):
    threading.Event().wait()
