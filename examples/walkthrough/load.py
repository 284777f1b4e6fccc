# ruff: noqa: INP001 - a script that people run, not a package
"""Put the balances that a list publishes into test nodes of your own, but for what you hold back.

For every chain that is given with ``--node`` the script takes the list's rows of that chain, gives
each address its published balance on the test node, and writes to the directory ``--into`` what
``recount run`` needs to find them there:

``world.toml``      the test chains, with the mainnets' address forms, and the list's exchange
                    with its labels moved over to them
``endpoints.toml``  the test nodes
``heights.toml``    the test nodes' blocks, which stand instead of the heights in the list

A node is an anvil, a bitcoind on regtest, or ``file:PATH``: then a UTXO set dump is made up and
written there. Published amounts are rounded; the balances given differ from them by less than the
rounding, one row upwards, the next downwards. ``--short LINE=AMOUNT`` holds an amount back from
the row on that line of the list (``all``: all of it): just these rows must then fall short.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from Crypto.Hash import keccak

from chains import addresses
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures.bitcoin import MESSAGE_HEADERS
from chains.simulated.bip122 import REGTEST_MAGIC, SimulatedCoin, SimulatedCore
from crawler.asking.plan import asset_namespace, asset_reference
from crawler.counting.reconciled import last_place
from crawler.declarations import quoted
from crawler.examining.labels import chain_named, resolve
from crawler.lists import open_list
from crawler.lists.amounts import parse_amount
from crawler.model import Rounding, RowKind
from crawler.settings import World, load_world

COIN = 10**8
ANYONE = b"\x51"
"""OP_TRUE: mined coins go here, since anyone may spend them without a key."""
RICH = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
"""anvil's first account: 10,000 coins from the start. It shows that the node holds state."""
DUMP_HEIGHT = 200

TOKEN = bytes.fromhex(
    "6000 35 60e0 1c"  # the selector: the first four bytes of the call
    "80 63 70a08231 14 6033 57"  # balanceOf(address): go to 33
    "80 63 18160ddd 14 604d 57"  # totalSupply(): go to 4d
    "80 63 313ce567 14 6059 57"  # decimals(): go to 59
    "80 63 95d89b41 14 6065 57"  # symbol(): go to 65
    "6000 6000 fd"  # anything else: revert
    "5b 6004 35 6000 52 6000 6020 52 6040 6000 20 54 6000 52 6020 6000 f3"  # 33: mapping, slot 0
    "5b 6001 54 6000 52 6020 6000 f3"  # 4d: slot 1
    "5b 6002 54 6000 52 6020 6000 f3"  # 59: slot 2
    "5b 6020 6000 52 6003 54 6020 52 6004 54 6040 52 6060 6000 f3"  # 65: 32, slot 3, slot 4
)
"""The least of an ERC-20 that can be read; it cannot be transferred."""
SUPPLY, DECIMALS, LENGTH, TEXT = 1, 2, 3, 4


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """A test chain that stands for a real one: its declaration, where it is, and its height."""

    spec: ChainSpec
    url: str
    protocol: str
    height: int


Balances = dict[AssetId, dict[bytes, int]]
"""Base units by asset and account."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the list, load the nodes, write the declarations."""
    options = _arguments(arguments)
    world = load_world()
    nodes = dict(_named(world, text) for text in options.node)
    short = dict(text.split("=", 1) for text in options.short)
    published = open_list(options.list)
    if published.exchange is None:
        sys.exit(f"{options.list}: a list of a configured exchange was expected")
    holdings = _holdings(world, options.list, nodes, {int(k): v for k, v in short.items()})
    twins: dict[ChainId, Twin] = {}
    for chain, balances in holdings.items():
        spec = world.chains[chain]
        twin = _load(world, spec, nodes[chain], balances)
        if twin.spec.id in world.chains or twin.spec.id in {t.spec.id for t in twins.values()}:
            sys.exit(
                f"{nodes[chain]} is {twin.spec.id}, which is taken: give the node an id of its own"
            )
        twins[chain] = twin
        count = sum(len(accounts) for accounts in balances.values())
        _say(f"{spec.name}: {count} balances on {twin.spec.id}, height {twin.height}")
    options.into.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("world.toml", world_toml(world, published.exchange, twins)),
        ("endpoints.toml", endpoints_toml(twins.values())),
        ("heights.toml", heights_toml(twins.values())),
    ):
        (options.into / name).write_text(text, encoding="utf-8")
        _say(f"wrote {options.into / name}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("list", type=Path, help="a list as OKX or HTX published it")
    parser.add_argument("--into", type=Path, required=True, help="directory for what is written")
    parser.add_argument(
        "--node",
        action="append",
        required=True,
        metavar="CHAIN=URL",
        help="name or CAIP-2 id of a chain, and the test node that stands for it",
    )
    parser.add_argument("--short", action="append", default=[], metavar="LINE=AMOUNT")
    return parser.parse_args(arguments)


def _named(world: World, text: str) -> tuple[ChainId, str]:
    name, _, url = text.partition("=")
    chain = chain_named(world, name)
    if chain is None or not url:
        sys.exit(f"--node {text}: expected the name or id of a declared chain, '=', and a URL")
    return chain, url


def _holdings(
    world: World, path: Path, nodes: Mapping[ChainId, str], short: dict[int, str]
) -> dict[ChainId, Balances]:
    """Return what each account is given, by chain and asset."""
    published = open_list(path)
    exchange = world.exchanges[published.exchange or ""]
    holdings: dict[ChainId, Balances] = {}
    for row in (row for batch in published.batches() for row in batch.to_pylist()):
        meaning = resolve(world, exchange, row["asset"], row["network"], row["type"])
        asset, chain = meaning.asset, meaning.chain
        if row["kind"] != RowKind.CLAIM or asset is None or chain is None or chain not in nodes:
            continue
        if asset_namespace(asset) not in ("slip44", "native", "erc20"):
            continue
        account = addresses.decode(world.chains[chain], row["address"])
        accounts = holdings.setdefault(chain, {}).setdefault(asset, {})
        if account in accounts:
            _say(f"line {row['row']}: {row['asset']} of {row['address']} was given already")
            continue
        decimals = world.assets[asset].decimals
        units = parse_amount(row["amount"], decimals)
        units += _below_rounding(row, units, decimals, published.rounding)
        held = short.pop(row["row"], "0")
        accounts[account] = 0 if held == "all" else units - parse_amount(held, decimals)
    if short:
        sys.exit(f"--short: no row that was loaded stands on line {min(short)}")
    return holdings


def _below_rounding(row: Mapping[str, Any], units: int, decimals: int, rounding: Rounding) -> int:
    """Return a difference that the published rounding hides: 0.4 of the last place, either way."""
    if rounding.direction == "exact":
        return 0
    hidden = last_place(row["amount"], decimals, rounding) * 4 // 10
    if hidden * 200 > units:  # so small an amount would be visibly another
        return 0
    return int(hidden) if row["row"] % 2 else -int(hidden)


def _load(world: World, spec: ChainSpec, url: str, balances: Balances) -> Twin:
    if spec.adapter == "eip155":
        return _load_anvil(world, spec, url, balances)
    if spec.adapter == "bip122":
        coins = balances[spec.native]
        return _write_dump(spec, url, coins) if url.startswith("file:") else _mine(spec, url, coins)
    sys.exit(f"{spec.name}: only chains of the Ethereum and Bitcoin families can be loaded")


def _load_anvil(world: World, spec: ChainSpec, url: str, balances: Balances) -> Twin:
    """Set balances and tokens, then mine: the new block is the snapshot."""
    node = Rpc(url)
    number = int(node("eth_chainId"), 16)
    for asset, accounts in balances.items():
        if asset == spec.native:
            for account, units in accounts.items():
                node("anvil_setBalance", "0x" + account.hex(), hex(units))
            continue
        token = asset_reference(asset)
        declared = world.assets[asset]
        symbol = (declared.symbol or "ANY").encode()
        node("anvil_setCode", token, "0x" + TOKEN.hex())
        words = {
            _slot(SUPPLY): sum(accounts.values()),
            _slot(DECIMALS): declared.decimals,
            _slot(LENGTH): len(symbol),
            _slot(TEXT): int.from_bytes(symbol.ljust(32, b"\0"), "big"),
            **{_slot_of(account): units for account, units in accounts.items()},
        }
        for slot, value in words.items():
            node("anvil_setStorageAt", token, slot, _slot(value))
    node("anvil_mine", "0x2")
    height = int(node("eth_blockNumber"), 16)
    twin = _twin(spec, f"eip155:{number}", {"chain_id": number, "canaries": [RICH]})
    return Twin(spec=twin, url=url, protocol="", height=height)


def _mine(spec: ChainSpec, url: str, coins: Mapping[bytes, int]) -> Twin:
    """Mine enough coins on regtest and pay every script in one transaction."""
    node = Rpc(url)
    if node("getblockchaininfo")["chain"] != "regtest":
        sys.exit(f"{spec.name}: the node is not on regtest")
    anyone = node("getdescriptorinfo", f"raw({ANYONE.hex()})")["descriptor"]
    spent: list[str] = []
    change = -sum(coins.values())
    while change < 0:
        (block,) = node("generatetodescriptor", 1, anyone)
        reward = node("getblock", block, 2)["tx"][0]
        value = int(reward["vout"][0]["value"] * COIN)
        if value < COIN:
            sys.exit(f"{spec.name}: regtest cannot make that many coins; give file:PATH instead")
        spent.append(reward["txid"])
        change += value
    node("generatetodescriptor", 100, anyone)  # a reward can be spent 100 blocks later
    outputs = [(units, script) for script, units in coins.items() if units]
    payment = _payment(spent, [*outputs, (change, ANYONE)])
    node("generateblock", anyone, [payment.hex()])
    genesis = node("getblockhash", 0)
    twin = _twin(spec, f"bip122:{genesis[:32]}", {"genesis": genesis, "magic": REGTEST_MAGIC.hex()})
    return Twin(spec=twin, url=url, protocol="rpc", height=int(node("getblockcount")))


def _write_dump(spec: ChainSpec, url: str, coins: Mapping[bytes, int]) -> Twin:
    """Make up a UTXO set in which every script holds one coin, and write it as Core 28 does."""
    held = [
        SimulatedCoin(
            txid=f"{number + 1:064x}", vout=0, height=DUMP_HEIGHT, units=units, script=script
        )
        for number, (script, units) in enumerate(coins.items())
        if units
    ]
    core = SimulatedCore(held, tip=DUMP_HEIGHT, salt=spec.id)
    path = Path(unquote(urlsplit(url).path))
    core.dump(path)
    twin = _twin(
        spec,
        f"bip122:{core.genesis[:32]}",
        {
            "genesis": core.genesis,
            "magic": REGTEST_MAGIC.hex(),
            "max_money": max(21 * 10**14, 2 * sum(coins.values())),
        },
    )
    return Twin(spec=twin, url=path.absolute().as_uri(), protocol="dump", height=DUMP_HEIGHT)


def _twin(spec: ChainSpec, id_: str, params: Mapping[str, Any]) -> ChainSpec:
    """Return the test chain's declaration: the real one's address form, the node's identity."""
    forms = dict(spec.address_params)
    if spec.id in MESSAGE_HEADERS:  # the words that a signed text begins with
        forms.setdefault("message_header", list(MESSAGE_HEADERS[spec.id]))
    return msgspec.structs.replace(
        spec,
        id=ChainId(id_),
        name=f"{spec.name} (test)",
        native=_moved(spec.native, spec.id, id_),
        source="a test node loaded by examples/walkthrough/load.py",
        address_params=forms,
        params=dict(params),
    )


def _slot(value: int) -> str:
    return "0x" + value.to_bytes(32, "big").hex()


def _slot_of(account: bytes) -> str:
    """Return where Solidity keeps ``mapping(address => …)[account]`` of slot 0.

    Spec: https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html
    """
    data = account.rjust(32, b"\0") + bytes(32)
    return "0x" + keccak.new(digest_bits=256, data=data).hexdigest()


def _payment(spent: Sequence[str], outputs: Sequence[tuple[int, bytes]]) -> bytes:
    """Spend output 0 of each transaction; it asks for no signature.

    Spec: https://developer.bitcoin.org/reference/transactions.html
    """
    body = (2).to_bytes(4, "little") + _compact(len(spent))
    for txid in spent:
        body += bytes.fromhex(txid)[::-1] + bytes(4) + b"\0" + b"\xff" * 4
    body += _compact(len(outputs))
    for units, script in outputs:
        body += units.to_bytes(8, "little") + _compact(len(script)) + script
    return body + bytes(4)


def _compact(number: int) -> bytes:
    small = 0xFD
    return bytes([number]) if number < small else b"\xfd" + number.to_bytes(2, "little")


class Rpc:
    """JSON-RPC to a node on this machine; numbers with a point come back as ``Decimal``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=120
        )
        self._headers = {"Content-Type": "application/json"}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            token = base64.b64encode(pair.encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"

    def __call__(self, method: str, *params: Any) -> Any:
        """Call a method; an error ends the script."""
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        try:
            self._connection.request("POST", "/", body, self._headers)
            raw = self._connection.getresponse().read()
            answer = json.loads(raw, parse_float=Decimal)
        except (OSError, http.client.HTTPException, ValueError) as error:
            sys.exit(f"{method}: the node at {self._connection.host} did not answer ({error!r})")
        if answer.get("error"):
            sys.exit(f"{method}: {answer['error']}")
        return answer["result"]


def world_toml(world: World, exchange: str, twins: Mapping[ChainId, Twin]) -> str:
    """Declare the test chains, their assets, and the exchange with its labels moved to them."""
    lines = ["replaces = true", ""]
    for twin in twins.values():
        fields = msgspec.to_builtins(twin.spec)
        lines += [f"[chains.{_toml(fields.pop('id'))}]", *_pairs(fields), ""]
    lines.append("[assets]")
    for asset in world.assets.values():
        if asset.chain in twins:
            fields = msgspec.to_builtins(asset)
            to = twins[asset.chain].spec.id
            moved = _moved(fields.pop("id"), fields["chain"], to)
            share = fields.pop("share", None)
            if share is not None:
                fields["share"] = share | {"of": _moved(share["of"], fields["chain"], to)}
            del fields["chain"]
            lines.append(f"{_toml(moved)} = {_toml(fields)}")
    fields = msgspec.to_builtins(world.exchanges[exchange])
    for rule in fields["networks"]:
        if rule["chain"] in twins:
            rule["chain"] = twins[rule["chain"]].spec.id
    for label in fields["labels"]:
        chain = ChainId(label["id"].partition("/")[0])
        if chain in twins:
            label["id"] = _moved(label["id"], chain, twins[chain].spec.id)
    return "\n".join([*lines, "", "[[exchanges]]", *_pairs(fields), ""])


def endpoints_toml(twins: Iterable[Twin]) -> str:
    """Declare the test nodes as endpoints."""
    lines: list[str] = []
    for twin in twins:
        name = twin.spec.name.partition(" (")[0].lower().replace(" ", "-")
        fields = {"name": name, "chain": twin.spec.id, "url": twin.url, "own_node": True}
        if twin.protocol:
            fields["protocol"] = twin.protocol
        lines += ["[[endpoints]]", *_pairs(fields), ""]
    return "\n".join(lines)


def heights_toml(twins: Iterable[Twin]) -> str:
    """Say at which heights the test chains hold the balances."""
    heights = {str(twin.spec.id): twin.height for twin in twins}
    return "\n".join(["replaces = true", "", "[heights]", *_pairs(heights), ""])


def _moved(asset: str, chain: str, to: str) -> AssetId:
    return AssetId(to + asset.removeprefix(chain))


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    return [f"{quoted(key)} = {_toml(value)}" for key, value in fields.items()]


def _toml(value: Any) -> str:
    """Write a value on one line; the texts of JSON are texts of TOML as well."""
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
