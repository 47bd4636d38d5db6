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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_every_signal_that_asks_a_program_to_end_counts(name: str) -> None:
    number = signal.Signals[name]
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.exit_code == 128 + number
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_another_signal_after_the_first_does_not_break_into_the_saving() -> None:
    with Interruption() as interruption:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        assert interruption.asked is signal.SIGUSR1


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
