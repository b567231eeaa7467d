"""A certificate with its key, for whichever end shows it, and one clear sentence if it is none."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cbsim.errors import BrokerError

__all__ = ["Certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files (PEM): a certificate with the chain above it, and its key, which may be in one file."""

    cert_file: str
    key_file: str | None = None

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have a context show it; raises BrokerError."""
        files = [file for file in (self.cert_file, self.key_file) if file]
        for file in files:
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise BrokerError(f"TLS file {file}: {error.strerror}") from None
        try:
            # Nobody is asked for a passphrase: a terminal need not be there.
            context.load_cert_chain(self.cert_file, self.key_file, password=str)
        except ssl.SSLError as error:
            what = "expected a certificate and its key, both PEM, the key without passphrase"
            if error.reason == "KEY_VALUES_MISMATCH":
                what = "the key is not that of the certificate"
            raise BrokerError(f"TLS files {', '.join(files)}: {what}") from None

    def context(self) -> ssl.SSLContext:
        """What a server with this certificate answers with; raises BrokerError."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.load_into(context)
        return context
