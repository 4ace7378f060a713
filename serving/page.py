"""The page for people at `/docs`.

It holds nothing of the model, asks for a key where one is required, and fetches the rest. All of it is served from
here, under a policy that runs its own script alone.
"""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("docs.html")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@lru_cache(maxsize=1)
def docs_page() -> tuple[str, str]:
    """Return the page, and its content security policy."""
    text = _FILE.read_text(encoding="utf-8")
    digests = [hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(text)]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    policy = f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; connect-src 'self'"
    return text, f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
