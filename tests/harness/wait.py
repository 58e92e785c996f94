"""Waiting for a condition.  No test sleeps for a fixed time and hopes: it says what it waits for."""

import time


class WaitTimeout(AssertionError):
    """What was waited for did not come true in time."""


def wait_until(condition, timeout=30.0, what="the condition", interval=0.05, ignore=()):
    """Calls condition() until its value is true, and returns that value.

    An exception of a class in `ignore` counts as "not yet".  After `timeout` seconds raises WaitTimeout, which tells
    the last value or exception seen.  `what` completes the sentence "timed out waiting for ...".
    """
    started = time.monotonic()
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except ignore as error:
            last = error
        spent = time.monotonic() - started
        if spent >= timeout:
            cause = last if isinstance(last, BaseException) else None
            raise WaitTimeout(f"timed out after {spent:.1f} s waiting for {what}; last seen: {last!r}") from cause
        time.sleep(min(interval, max(timeout - spent, 0.001)))
