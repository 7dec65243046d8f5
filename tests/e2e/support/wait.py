"""Bounded waits on a condition, the only way a test waits for anything."""

import time


class TimedOut(AssertionError):
    pass


def until(cond, timeout, what):
    """Calls cond until it gives something true, and returns that.

    what names the thing waited for (a text, or a function that makes one); the error says it, with
    the last value seen. An exception in
    cond ends the wait: a condition that can't be asked yet has to return something false.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = cond()
        if value:
            return value
        left = deadline - time.monotonic()
        if left <= 0:
            what = what() if callable(what) else what
            raise TimedOut(f"not within {timeout:g} s: {what} (last seen: {value!r})")
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, 0.1)
