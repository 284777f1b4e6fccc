"""A certificate that nobody vouches for, made anew for a test."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def make_certificate(directory: Path) -> Path:
    """Write ``key`` and ``cert`` of ``localhost`` into a directory; returns the directory."""
    made = ["-keyout", str(directory / "key"), "-out", str(directory / "cert")]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *made, *subject], check=True, capture_output=True)
    return directory


def serving_with(directory: Path) -> ssl.SSLContext:
    """Return what a server needs to present the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "cert", directory / "key")
    return context
