"""SignalWire: calls, messages, recordings and numbers of a project.

Facts: the vendor's OpenAPI documents of its Compatibility (cXML) and REST APIs (MIT), its pages on
webhooks, and its own validator of signatures; what they leave open stands in `assumptions`.
"""

from junctor.connectors.signalwire import calls, generated, hooks, lists, messages, status
from junctor.connectors.signalwire.account import signalwire

__all__ = ["calls", "generated", "hooks", "lists", "messages", "signalwire", "status"]
