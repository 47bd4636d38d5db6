"""Ctrl-C as a wish that is read between two steps."""

import os
import signal

import pytest

from manual_bp.training.run.interruption import Interruption


def test_the_first_is_noted_and_the_second_is_not_waited_for() -> None:
    with Interruption() as interruption:
        assert interruption.asked is None
        assert interruption.exit_code == 0
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.asked is signal.SIGINT
        assert interruption.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_polite_kill_counts_too() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.exit_code == 143


def test_the_signals_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), Interruption():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_was_to_be_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.asked is None
    finally:
        signal.signal(signal.SIGINT, before)
