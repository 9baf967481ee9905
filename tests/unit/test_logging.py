"""Logs tell where something went wrong, never with which values."""

import logging

import pytest

from app import logging as ours


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_values(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        ours.configure(log_format, "info")
        api_key = "sk_secret_value"
        try:
            raise ValueError(f"{len(api_key)} characters")
        except ValueError as error:
            ours.get("test").exception("unexpected error", exc_info=error)
        written = capsys.readouterr().err
    finally:
        root.handlers[:], root.level = handlers, level
    assert "ValueError: 15 characters" in written
    assert "test_logging.py" in written
    assert "sk_secret_value" not in written
