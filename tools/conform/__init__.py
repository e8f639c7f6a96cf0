"""``make conform``: what the four vendor connectors send, judged by Prism. See docs/conformance.md."""
