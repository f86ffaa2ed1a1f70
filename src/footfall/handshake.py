"""Why a TLS handshake failed, in words: the same ones whoever was called.

Decides which causes are told apart, by what OpenSSL found. What to change stands behind the first
semicolon; only whoever called knows where authorities and addresses are set. Pure.
"""

from __future__ import annotations

import ssl
from typing import Final

#: Codes of OpenSSL's verification (X509_V_ERR_...).
_NOT_YET, _EXPIRED, _HOST, _ADDRESS = 9, 10, 62, 64
NO_TLS: Final = "no TLS could be agreed"


def refusal(error: ssl.SSLError, *, where: str, trust: str, otherwise: str) -> str:
    """What is wrong, and what to do. `where`: its certificate is; `trust`: makes an authority known
    here; `otherwise`: is to be looked at where it is not the certificate.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"{NO_TLS} ({error.reason}); {otherwise}"
    if error.verify_code in (_HOST, _ADDRESS):
        return ("its certificate is for another host name; reach it by a name that stands in the "
                "certificate, or have one made for this name")
    if error.verify_code == _EXPIRED:
        return f"its certificate has expired; renew it {where}"
    if error.verify_code == _NOT_YET:
        return "its certificate is not valid yet; set the clocks right"
    return (f"its certificate comes from an authority that is not known here "
            f"({error.verify_message}); {trust}")
