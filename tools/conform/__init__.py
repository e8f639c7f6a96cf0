"""``make conform``: what the vendors' connectors send, judged by Prism (docs/conformance.md)."""
