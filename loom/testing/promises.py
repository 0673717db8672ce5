"""What a check says when something isn't as its protocol promises."""

from __future__ import annotations


class ContractBroken(AssertionError):
    """What an engine or a plugin did that its protocol forbids."""


def require(kept: bool, promise: str) -> None:
    if not kept:
        raise ContractBroken(f"not kept: {promise}")
