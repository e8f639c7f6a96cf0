"""Bytes, encodings and digests."""

from __future__ import annotations

import base64 as base64_
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from junctor.errors import DataError
from junctor.language.expressions.functions.registry import Buffer, Many, Text, function
from junctor.language.values import CODEPAGES, json_text, to_buffer, to_text

__all__ = ["base64", "create_json", "md5", "mime", "parse_json", "sha1", "sha256", "sha512"]


@function("toBinary", [('{{toString(toBinary("TWFrZQ=="; "base64"))}}', "Make")])
def to_binary(value: Any, encoding: Text = "utf8") -> bytes:
    """Makes a buffer of a text; encoding is utf8, hex, base64, latin1, … (how the text reads)."""
    if isinstance(value, bytes):
        return value
    return _bytes_of(to_text(value), encoding)


@function(
    "toString",
    [
        ("{{toString(1.n)}}", "5"),
        ("{{toString(1.col)}}", '{"k1":"v1","k2":"v2"}'),
        ('{{toString(toBinary("Make"); "hex")}}', "4d616b65"),
        ("{{toString(1.nul)}}", ""),
    ],
)
def to_string(value: Any, encoding: Text = "utf8") -> str:
    """Any value as text; for buffers encoding is utf8, hex, base64, latin1 …"""
    if isinstance(value, bytes):
        return _text_of(value, encoding)
    return to_text(value)


@function("base64", [('{{base64("Make")}}', "TWFrZQ==")])
def base64(value: Buffer) -> str:
    """Text or a buffer in Base64."""
    return base64_.b64encode(value).decode("ascii")


@function("md5", [('{{md5("Make")}}', "529a05ca6c1263aab080ec4f20754411")])
def md5(value: Buffer) -> str:
    """The MD5 digest, in hexadecimal."""
    return hashlib.md5(value, usedforsecurity=False).hexdigest()


@function("sha1", [('{{sha1("Make")}}', "a94431ee22f05f141107f9355ed3127d0f0c4d5a")])
def sha1(value: Buffer, encoding: Text = "hex", key: Any = "", key_encoding: Text = "text") -> str:
    """The SHA-1 digest in hex, base64 or latin1; with a key, the HMAC."""
    return _digest("sha1", value, encoding, key, key_encoding)


@function(
    "sha256",
    [
        ('{{sha256("Make"; "base64")}}', "zN0l1CMPuZen7hFm+K+r0VckjrgS6lXsfD0bfIr3+hE="),
        (
            '{{sha256("Make"; "hex"; "k")}}',
            "740f0094f0aa81e4d2de003ad8cf0c89fc868a767a4efcdc06d4b9ab975badf8",
        ),
        (
            '{{sha256("Make"; ; "6b"; "hex")}}',
            "740f0094f0aa81e4d2de003ad8cf0c89fc868a767a4efcdc06d4b9ab975badf8",
        ),
        (
            '{{sha256("Make"; ; toBinary("6b"; "hex"); "binary")}}',
            "740f0094f0aa81e4d2de003ad8cf0c89fc868a767a4efcdc06d4b9ab975badf8",
        ),
    ],
)
def sha256(
    value: Buffer, encoding: Text = "hex", key: Any = "", key_encoding: Text = "text"
) -> str:
    """The SHA-256 digest in hex, base64 or latin1; with a key, the HMAC."""
    return _digest("sha256", value, encoding, key, key_encoding)


@function("sha512", [('{{length(sha512("Make"))}}', 128)])
def sha512(
    value: Buffer, encoding: Text = "hex", key: Any = "", key_encoding: Text = "text"
) -> str:
    """The SHA-512 digest in hex, base64 or latin1; with a key, the HMAC."""
    return _digest("sha512", value, encoding, key, key_encoding)


@function(
    "createJSON",
    [("{{createJSON(1.col)}}", '{"k1":"v1","k2":"v2"}'), ("{{createJSON(5)}}", "5")],
    origin="app",
    instead="toString(collection), or a module that makes JSON",
)
def create_json(value: Many) -> str:
    """Any value as JSON text."""
    return json_text(value)


@function(
    "parseJSON",
    [('{{get(parseJSON(\'{"a": [1, 2]}\'); "a.2")}}', 2)],
    origin="app",
    instead="the module json:ParseJSON",
)
def parse_json(text: Text) -> Any:
    """Reads JSON text."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise DataError(reason=f"the text is not valid JSON ({error})") from error


_TYPES = {
    "application/gzip": "gz",
    "application/json": "json",
    "application/msword": "doc",
    "application/octet-stream": "bin exe",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/x-7z-compressed": "7z",
    "application/x-tar": "tar",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/webm": "weba",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg jpeg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs",
    "text/markdown": "md",
    "text/plain": "txt log",
    "text/tab-separated-values": "tsv",
    "text/vcard": "vcf",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg mpg",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-msvideo": "avi",
}
_BY_EXTENSION = {end: type_ for type_, ends in _TYPES.items() for end in ends.split()}


@function("mime", [('{{mime("photo.JPG")}}', "image/jpeg"), ('{{mime("README")}}', None)])
def mime(file_name: Text) -> str | None:
    """The MIME type by a file name's extension; null if it is not known."""
    stem, dot, extension = file_name.rpartition(".")
    return _BY_EXTENSION.get(extension.lower()) if dot and stem is not None else None


def _bytes_of(text: str, encoding: str) -> bytes:
    try:
        match encoding.lower():
            case "hex":
                return bytes.fromhex(text)
            case "base64" | "base64url":
                standard = "".join(text.split()).translate({45: "+", 95: "/"}).rstrip("=")
                return base64_.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
            case "binary" | "latin1":
                return text.encode("latin-1")
            case "" | "text" | "utf8" | "utf-8":
                return to_buffer(text)
            case other:
                return text.encode(_codec(other))
    except (ValueError, binascii.Error) as error:
        raise DataError(reason=f"the text can't be read as {encoding} ({error})") from error


def _text_of(value: bytes, encoding: str) -> str:
    try:
        match encoding.lower():
            case "hex":
                return value.hex()
            case "base64":
                return base64_.b64encode(value).decode("ascii")
            case "base64url":
                return base64_.urlsafe_b64encode(value).decode("ascii").rstrip("=")
            case "binary" | "latin1":
                return value.decode("latin-1")
            case "" | "text" | "utf8" | "utf-8":
                return value.decode("utf-8")
            case other:
                return value.decode(_codec(other))
    except ValueError as error:
        raise DataError(reason=f"the buffer can't be read as {encoding} ({error})") from error


def _codec(name: str) -> str:
    """Text encodings only: other codecs of Python would decompress."""
    if name in CODEPAGES:
        return name.replace("windows-", "cp")
    raise DataError(reason=f"{name!r} is no encoding; use utf8, hex, base64 or latin1")


def _digest(name: str, value: bytes, encoding: str, key: Any, key_encoding: str) -> str:
    if key is not None and key != "":
        secret = key if isinstance(key, bytes) else _bytes_of(to_text(key), key_encoding)
        digest = hmac.new(secret, value, name).digest()
    else:
        digest = hashlib.new(name, value, usedforsecurity=False).digest()
    return _text_of(digest, encoding or "hex")
