"""What can be wrong with a filter."""


class InvalidFilter(ValueError):
    """The filter cannot be understood or evaluated; `at` is the place in its text (from 1), if known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"{message}；第{at}个字符处 (at character {at})")
        self.at = at
