"""`shuitu`. What brings the service up or down does not wait for libraries that only imports and detections need."""

import sys

from app import operate
from app.errors import ShuituError


def main() -> None:
    """Entry point: an expected failure is one sentence on standard error, never a stack trace."""
    try:
        if sys.argv[1:] and sys.argv[1] in operate.NAMES:
            operate.alone()()
        else:
            from app import cli

            cli.app()
    except ShuituError as error:
        print(f"错误 · error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
