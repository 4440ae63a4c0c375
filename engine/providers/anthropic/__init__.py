"""Claude through the Messages API, in a loop of our own. Importing this package does not import the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.providers.anthropic.provider import AnthropicProvider

__all__ = ["AnthropicProvider"]


def __getattr__(name: str) -> Any:
    if name == "AnthropicProvider":
        from engine.providers.anthropic.provider import AnthropicProvider

        return AnthropicProvider
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
