"""Certificates for a test: one to trust, and some that a client has to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cbsim.bus.certificate import Certificate
from cbsim.errors import CbsimError

__all__ = ["Certificates", "certificates"]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files (PEM) of an authority and of what it signed for a broker on this machine."""

    ca_file: str
    """Whom a client is to trust."""
    good: Certificate
    expired: Certificate
    wrong_name: Certificate
    """For another host."""

    def of(self, word: str) -> Certificate:
        """By a word: `good`, `expired` or `wrong-name`; raises CbsimError for any other."""
        known = {"good": self.good, "expired": self.expired, "wrong-name": self.wrong_name}
        if word not in known:
            raise CbsimError(f"tls={word!r}: expected {', '.join(known)}")
        return known[word]


def certificates(folder: Path) -> Certificates:
    """Make them in a folder; raises CbsimError without trustme (`pip install 'cbsim[test]'`)."""
    try:
        import trustme
    except ImportError:
        raise CbsimError("certificates need trustme: pip install 'cbsim[test]'") from None
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)

    def issued(name: str, *hosts: str, not_after: datetime | None = None) -> Certificate:
        path = folder / f"{name}.pem"
        made = authority.issue_cert(*hosts, not_after=not_after)
        made.private_key_and_cert_chain_pem.write_to_path(path)
        return Certificate(str(path))

    here = ("127.0.0.1", "localhost", "::1")
    past = datetime.now(UTC) - timedelta(days=1)
    return Certificates(
        str(ca_file),
        issued("good", *here),
        issued("expired", *here, not_after=past),
        issued("wrong-name", "elsewhere.example"),
    )
