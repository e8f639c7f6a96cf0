"""Toky: calls, text messages, voicemails and contacts of a cloud telephone system.

Facts: developer.toky.co and blog.toky.co; what they leave open stands in `assumptions`.
"""

from junctor.connectors.toky import hooks, modules
from junctor.connectors.toky.account import toky

__all__ = ["hooks", "modules", "toky"]
