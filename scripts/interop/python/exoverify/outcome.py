"""How a check ends (spec/verification.md, States and result)."""


class Fail(Exception):
    """Proven wrong. `code` is one of spec/errors.md."""

    def __init__(self, message: str, code: str = "EXO_CHECK_FAILED"):
        super().__init__(message)
        self.code = code


class Unable(Exception):
    """Asked for, and could not be made."""

    def __init__(self, message: str, code: str):
        super().__init__(message)
        self.code = code


class NotApplicable(Exception):
    """Not asked for, or nothing of the kind in this bundle."""


def need(condition: bool, message: str, code: str = "EXO_CHECK_FAILED") -> None:
    """Fails the check unless the condition holds."""
    if not condition:
        raise Fail(message, code)
