"""A small Horizon: the present state of accounts, and the ledgers and transactions that it keeps.

``balances`` are stroops now. ``touched`` maps an account to the ledger of its last change (one
below ``sequence`` unless listed), ``gone`` accounts that existed once to the ledger in which they
were merged away. ``BUSY`` changes in every ledger and signs its first transaction. ``entries``
adds or replaces fields of account answers.

Dangerous knobs: ``knows_nobody`` (404 for everybody), ``state_at`` (accounts as of an older
ledger), ``elder`` (the first ledger of the history), ``history_at`` (transactions up to an older
ledger), ``no_history`` (lists of an account's transactions are empty: ``"empty"``, or not found:
``"missing"``), ``says_why`` (404 without Horizon's own words). Answers follow
https://developers.stellar.org/docs/data/apis/horizon/api-reference in names, types and units.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from aiohttp import web

from chains.addresses import stellar
from chains.simulated.node import Faults, SimulatedNode, json_response

BUSY = b"\x77" * 32
START_S = 1_443_571_200
BASE_RESERVE = 5_000_000
PASSPHRASE = "Simulated Network ; October 2026"  # noqa: S105 - public, names the network


class SimulatedHorizon(SimulatedNode):
    """A server whose knobs are plain attributes; amounts in stroops, accounts as 32 bytes."""

    def __init__(
        self,
        sequence: int,
        balances: Mapping[bytes, int],
        *,
        touched: Mapping[bytes, int] | None = None,
        gone: Mapping[bytes, int] | None = None,
        entries: Mapping[bytes, Mapping[str, Any]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.sequence = sequence
        self.latest = sequence + 50
        self.balances = {BUSY: 10**9} | dict(balances)
        self.touched = dict(touched or {})
        self.gone = dict(gone or {})
        self.entries = dict(entries or {})
        self.passphrase = PASSPHRASE
        self.fork = ""
        self.elder = 2
        self.knows_nobody = False
        self.state_at: int | None = None
        self.history_at: int | None = None
        self.no_history = ""
        self.says_why = True
        self.has_transactions = True

    def header(self, sequence: int) -> bytes:
        """Return a ledger's header as XDR."""
        mark = f"{self.fork}{sequence}".encode()
        head = (22).to_bytes(4, "big") + sha256(f"{sequence - 1}".encode()).digest()
        head += sha256(mark).digest() + (START_S + 5 * sequence).to_bytes(8, "big") + bytes(8)
        head += sha256(mark + b"results").digest() + sha256(mark + b"buckets").digest()
        return head + sequence.to_bytes(4, "big") + bytes(172)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a path."""
        del body
        match request.path.strip("/").split("/"):
            case [""]:
                return json_response(self._root())
            case ["ledgers", number] if number.isdigit():
                return self._ledger(int(number))
            case ["ledgers", number, "transactions"] if number.isdigit():
                signers = [BUSY] if self.has_transactions else []
                return _records([_transaction(one, int(number)) for one in signers])
            case ["accounts", name]:
                return self._account(stellar.decode(name, {}))
            case ["accounts", name, "transactions"]:
                return self._transactions(stellar.decode(name, {}))
            case _:
                return self._missing()

    def _root(self) -> dict[str, Any]:
        return {
            "horizon_version": "27.0.0",
            "ingest_latest_ledger": self.latest,
            "history_latest_ledger": self.latest,
            "history_elder_ledger": self.elder,
            "core_latest_ledger": self.latest,
            "network_passphrase": self.passphrase,
        }

    def _missing(self) -> web.Response:
        if not self.says_why:
            return web.Response(status=404, text="404 page not found")
        kind = "https://stellar.org/horizon-errors/not_found"
        return json_response({"type": kind, "title": "Resource Missing", "status": 404}, 404)

    def _ledger(self, sequence: int) -> web.Response:
        if sequence < self.elder:
            kind = "https://stellar.org/horizon-errors/before_history"
            return json_response({"type": kind, "status": 410}, 410)
        if sequence > self.latest:
            return self._missing()
        raw = self.header(sequence)
        closed = datetime.fromtimestamp(START_S + 5 * sequence, UTC)
        return json_response(
            {
                "hash": sha256(raw).hexdigest(),
                "prev_hash": raw[4:36].hex(),
                "sequence": sequence,
                "closed_at": closed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "base_reserve_in_stroops": BASE_RESERVE,
                "header_xdr": b64encode(raw).decode(),
            }
        )

    def _changed(self, account: bytes) -> int:
        newest = self.latest if self.state_at is None else self.state_at
        return newest if account == BUSY else self.touched.get(account, self.sequence - 1)

    def _account(self, account: bytes) -> web.Response:
        units = self.balances.get(account, 0)
        if not units or self.knows_nobody:
            return self._missing()
        name = stellar.encode(account, {})
        entry: dict[str, Any] = {
            "id": name,
            "account_id": name,
            "sequence": "24739097524306468",
            "subentry_count": 0,
            "last_modified_ledger": self._changed(account),
            "num_sponsoring": 0,
            "num_sponsored": 0,
            "thresholds": {"low_threshold": 0, "med_threshold": 0, "high_threshold": 0},
            "balances": [
                {
                    "balance": f"{units // 10**7}.{units % 10**7:07d}",
                    "buying_liabilities": "0.0000000",
                    "selling_liabilities": "0.0000000",
                    "asset_type": "native",
                }
            ],
            "signers": [{"weight": 1, "key": name, "type": "ed25519_public_key"}],
        }
        return json_response(entry | dict(self.entries.get(account, {})))

    def _transactions(self, account: bytes) -> web.Response:
        if self.no_history:
            return self._missing() if self.no_history == "missing" else _records([])
        newest = self.latest if self.history_at is None else self.history_at
        if account == BUSY:
            return _records([_transaction(account, newest)])
        last = self.gone.get(account, self._changed(account) if account in self.balances else 0)
        known = bool(last) and (account in self.gone or bool(self.balances[account]))
        return _records([_transaction(account, min(last, newest))]) if known else self._missing()


def _transaction(source: bytes, ledger: int) -> dict[str, Any]:
    return {"ledger": ledger, "successful": True, "source_account": stellar.encode(source, {})}


def _records(records: list[dict[str, Any]]) -> web.Response:
    return json_response({"_embedded": {"records": records}})
