"""Bounded waits on a condition, the only way a test waits for anything."""

import time

# Seconds. A bound is there for what never comes; how fast the machine is, is no test's subject.
LEAST = 120


class TimedOut(AssertionError):
    pass


def until(cond, timeout, what, least=LEAST):
    """Calls cond until it gives something true, and returns that. Not less than `least` seconds.

    what names the thing waited for (a text, or a function that makes one); the error says it, with
    the last value seen. An exception in
    cond ends the wait: a condition that can't be asked yet has to return something false.
    """
    timeout = max(timeout, least)
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


def once_within(seconds, act, what, before=None, tries=20):
    """What the product promises in seconds, on a machine that may be busy: act() returns when it has taken
    effect; one try of several has to be quick enough. before() is done in front of each and not counted."""
    took = []
    while not took or took[-1] > seconds:
        if len(took) == tries:
            raise TimedOut(f"{what} within {seconds:g} s: took {', '.join(f'{t:.2f}' for t in took)} s")
        if before:
            before()
        begun = time.monotonic()
        act()
        took.append(time.monotonic() - begun)
    print(f"{what}: {took[-1]:.2f} s, try {len(took)}")
    return took[-1]
