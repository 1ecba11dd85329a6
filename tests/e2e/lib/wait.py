"""Waiting for conditions, with a deadline. Tests never sleep for a while and hope."""
import socket
import time


class TimedOut(AssertionError):
    pass


def wait_until(condition, deadline=10.0, what="the condition"):
    """The first true value of condition(); asks every few milliseconds. TimedOut after `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimedOut(f"{what} did not come true within {deadline:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def free_port():
    """A loopback TCP port that nobody listens on right now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port, host="127.0.0.1"):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False
