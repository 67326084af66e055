"""Who calls: what a request shows, and the time → which credential matched, or why none did. Pure.

`Credentials` is compiled once per source. It decides in two phases, because a signature needs the body and nothing of
a body may be read for a stranger: `before_body` looks at everything else, `after_body` finishes what it left undecided.

Here belong comparisons and their rules. Never here: the clock, sockets, HTTP statuses, logs. No value of this package
shows a secret in its repr.
"""

from bridge.auth.credentials import Credentials
from bridge.auth.verdicts import REASONS, Denied, Facts, Grant, Headers, Undecided

__all__ = ["REASONS", "Credentials", "Denied", "Facts", "Grant", "Headers", "Undecided"]
