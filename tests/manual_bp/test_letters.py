"""Letters that an output cannot encode: spelt where they are known, a code where not, and untouched where they fit."""

from __future__ import annotations

import io
import sys

import pytest

from manual_bp.letters import IN_ASCII, spell_output, spelt, takes

FORMULA = "∂L/∂W^1 = −δ x² × σ′ é"


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", FORMULA),
        ("cp1252", "dL/dW^1 = -delta x² × sigma' é"),
        ("ascii", "dL/dW^1 = -delta x^2 x sigma' \\xe9"),
    ],
)
def test_a_text_is_written_in_the_letters_that_a_stream_has(encoding: str, written: str) -> None:
    assert spelt(FORMULA, stream(encoding)) == written
    assert takes(FORMULA, stream(encoding)) is (written == FORMULA)


def test_a_stream_without_an_encoding_takes_everything() -> None:
    assert spelt(FORMULA, io.StringIO()) == FORMULA
    assert spelt(FORMULA, None) == FORMULA


def test_every_spelling_is_ascii() -> None:
    assert all(written.isascii() for written in IN_ASCII.values())


def test_output_that_is_spelt_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    spell_output()
    print(FORMULA, flush=True)
    assert out.buffer.getvalue() == b"dL/dW^1 = -delta x^2 x sigma' \\xe9\n"  # type: ignore[attr-defined]
