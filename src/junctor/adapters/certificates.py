"""TLS contexts with certificates of one's own, made once each."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from junctor.adapters.egress import Refused
from junctor.language.messages import Tls

__all__ = ["Contexts"]

_KEPT = 64


class Contexts:
    """Keeps a context for each `Tls`, so that connections made with it can be used again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Tls, bool], ssl.SSLContext] = OrderedDict()

    def get(self, tls: Tls, *, verify: bool) -> ssl.SSLContext:
        """The context. `Refused` if a certificate or the key can't be used."""
        key = (tls, verify)
        context = self._kept.get(key)
        if context is None:
            context = self._kept[key] = _made(tls, verify)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return context


def _made(tls: Tls, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.authorities:
        try:
            context.load_verify_locations(cadata=tls.authorities)
        except (ssl.SSLError, ValueError) as error:
            raise Refused(f"the certificate to believe can't be read as PEM ({error})") from error
    if tls.certificate:
        both = tls.certificate.rstrip() + "\n" + str.__str__(tls.key)
        try:
            with _file(both.encode()) as path:
                # A callable, so that OpenSSL never asks on the terminal for a missing password.
                context.load_cert_chain(path, password=lambda: str.__str__(tls.password))
        except (ssl.SSLError, ValueError, OSError) as error:
            raise Refused(f"the client certificate can't be used ({_why(error)})") from error
    return context


def _why(error: Exception) -> str:
    # OpenSSL's texts name its own source lines; what failed is in the reason.
    reason = getattr(error, "reason", None)
    return str(reason or "is it PEM, with its key?").replace("_", " ").lower()


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """The content under a path, since OpenSSL takes keys from files only; in memory if it can."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tls")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:  # readable for us alone
        file.write(content)
        file.flush()
        yield file.name
