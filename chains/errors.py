"""Everything that can go wrong while asking a chain, as one tree.

    ChainError
    ├── ConfigError          a chain, asset or endpoint is declared wrongly        → exit 2
    ├── Transient            may pass by itself; the transport retries it
    │   ├── RateLimited      429 or the family's own "slow down"
    │   ├── Unreachable      refused, reset, DNS, TLS, time-out
    │   └── NodeBehind       the node has not reached the height yet
    ├── Terminal             asking again cannot help; becomes a ``Gap``
    │   ├── Unanswerable     pruned state, no history, method missing
    │   └── Malformed        the answer breaks the protocol or a size limit
    └── Fatal                the run must stop                                     → exit 4
        ├── WrongChain       the endpoint serves another chain than declared
        ├── Disagreement     two endpoints contradict each other
        └── Reorganised      the pinned block is no longer there

Every error carries a ``code``: a stable reason listed in ``chains.reasons``.
"""

from __future__ import annotations

LONGEST_MESSAGE = 2000
"""Characters of a message: a node that names its chain in a megabyte gets no further."""


class ChainError(Exception):
    """Base of the tree. ``code`` is a stable reason; ``str()`` is one sentence for a person."""

    code = "chain-error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = message[: LONGEST_MESSAGE - 1] + "…"
        super().__init__(message)
        if code is not None:
            self.code = code


class ConfigError(ChainError):
    """A declaration is wrong; the message names file, key and what was expected."""

    code = "config-error"


class Transient(ChainError):
    """May pass by itself. ``retry_after`` is in seconds where the peer named a time."""

    code = "transient"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class RateLimited(Transient):
    """The endpoint asked us to slow down."""

    code = "rate-limited"


class Unreachable(Transient):
    """No usable answer arrived."""

    code = "unreachable"


class NodeBehind(Transient):
    """The node has not reached the asked height."""

    code = "node-behind"


class Terminal(ChainError):
    """Asking the same thing again cannot help."""

    code = "terminal"


class Unanswerable(Terminal):
    """This endpoint or chain cannot answer this question at this height."""

    code = "unanswerable"


class Malformed(Terminal):
    """The answer breaks the protocol, or one of our limits."""

    code = "malformed-answer"


class Fatal(ChainError):
    """The run must stop; nothing that follows could be trusted."""

    code = "fatal"


class WrongChain(Fatal):
    """The endpoint serves another chain than the one declared for it."""

    code = "wrong-chain"


class Disagreement(Fatal):
    """Two endpoints contradict each other about the same moment."""

    code = "endpoints-disagree"


class Reorganised(Fatal):
    """The pinned block is no longer part of the chain."""

    code = "reorganised"
