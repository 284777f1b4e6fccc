"""Rows of every Ed25519 and sr25519 scheme, made with a known key, for tests that spoil them."""

import json
from base64 import b64encode
from hashlib import blake2b, sha3_256

import cbor2
import msgspec
import sr25519
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains.addresses import encode
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures import (
    SignedAddress,
    algorand_message,
    digests,
    near_message,
    solana_offchain,
    stellar_message,
    sui_message,
    ton_connect,
)
from chains.signatures.ton_wallets import accounts as ton_accounts

DOMAIN, TIME, NONCE = "example.org", 1_719_309_177, bytes(range(32))


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


SPECS = {
    name: chain(name)
    for name in ("solana", "sui", "aptos", "ton", "stellar", "algorand", "near", "cardano")
} | {"ss58": chain("ss58", prefix=0)}


def accounts_of(key):
    """Return the account of a key on every chain."""
    return {
        "solana": key,
        "ss58": key,
        "stellar": key,
        "algorand": key,
        "near": key.hex().encode(),
        "sui": blake2b(b"\0" + key, digest_size=32).digest(),
        "aptos": sha3_256(key + b"\0").digest(),
        "ton": next(iter(ton_accounts(key))),
        "cardano": b"\x61" + blake2b(key, digest_size=28).digest(),
    }


class Made(msgspec.Struct, frozen=True):
    """A row that binds, the raw signature in it, and how a signature is put into the column."""

    row: SignedAddress
    raw: bytes
    column: object

    def with_raw(self, raw):
        return msgspec.structs.replace(self.row, signatures=(self.column(raw),))


def as_hex(raw):
    return "0x" + raw.hex()


def answer(**members):
    return lambda raw: json.dumps({"signature": b64encode(raw).decode(), **members})


def cose(address, payload):
    protected = cbor2.dumps({1: -8, "address": address})
    return protected, cbor2.dumps(["Signature1", protected, b"", payload])


def payload_of(scheme, key, account, text):
    """Return what is signed, how it is put into the column, and the text of the row."""
    body = text.encode()
    block = f"APTOS\napplication: x\nchainId: 1\nmessage: {text}\nnonce: 7"
    if scheme == "cip8":
        protected, payload = cose(account, body)

        def write(raw):
            return cbor2.dumps([protected, {"hashed": False}, body, raw]).hex()

        return payload, write, text
    if scheme == "sui-personal-message":

        def write(raw):
            return b64encode(b"\0" + raw + key).decode()

        return sui_message.digest(text), write, text
    connect = answer(domain=DOMAIN, timestamp=TIME)
    return {
        "okx-ed25519": lambda: (digests.frame(digests.OKX_HEADER, text), as_hex, text),
        "ed25519-raw": lambda: (body, as_hex, text),
        "sol-offchain-v0": lambda: (solana_offchain.envelope(text), as_hex, text),
        "sep53": lambda: (stellar_message.digest(body), as_hex, text),
        "aptos-full-message": lambda: (block.encode(), as_hex, block),
        "ton-safe-sign-magic": lambda: (b"\xff\xffton-safe-sign-magic" + body, as_hex, text),
        "ton-proof-v2": lambda: (
            ton_connect.proof(account, DOMAIN.encode(), TIME, body),
            connect,
            text,
        ),
        "ton-connect-sign-data-text": lambda: (
            ton_connect.data(b"txt", account, DOMAIN.encode(), TIME, body),
            connect,
            text,
        ),
        "ton-connect-sign-data-binary": lambda: (
            ton_connect.data(b"bin", account, DOMAIN.encode(), TIME, body),
            connect,
            text,
        ),
        "nep413": lambda: (
            near_message.digest(text, NONCE, "x.near", None),
            answer(nonce=b64encode(NONCE).decode(), recipient="x.near"),
            text,
        ),
        "algorand-mx": lambda: (algorand_message.envelope(body), as_hex, text),
        "aptos-raw": lambda: (body, as_hex, text),
        "substrate-any": lambda: (b"<Bytes>" + body + b"</Bytes>", as_hex, text),
    }[scheme]()


KINDS = [
    *(("okx-ed25519", name) for name in SPECS),
    *(("ed25519-raw", name) for name in ("solana", "ss58", "algorand")),
    ("sol-offchain-v0", "solana"),
    ("sep53", "stellar"),
    ("aptos-full-message", "aptos"),
    ("aptos-raw", "aptos"),
    ("algorand-mx", "algorand"),
    ("ton-safe-sign-magic", "ton"),
    ("ton-proof-v2", "ton"),
    ("ton-connect-sign-data-text", "ton"),
    ("ton-connect-sign-data-binary", "ton"),
    ("nep413", "near"),
    ("cip8", "cardano"),
    ("sui-personal-message", "sui"),
    ("substrate-any", "ss58"),
]


def make(seed, text, kind):
    scheme, name = kind
    key, private = crypto_sign_seed_keypair(seed)
    account = accounts_of(key)[name]
    payload, column, message = payload_of(scheme, key, account, text)
    raw = crypto_sign(payload, private)[:64]
    row = SignedAddress(
        spec=SPECS[name],
        address=encode(SPECS[name], account),
        account=account,
        message=message,
        signatures=(column(raw),),
        schemes=(scheme,),
        public_key=key.hex(),
    )
    return Made(row, raw, column)


def make_sr25519(seed, text, *, is_wrapped):
    key, secret = sr25519.pair_from_seed(seed)
    body = text.encode()
    raw = sr25519.sign((key, secret), b"<Bytes>" + body + b"</Bytes>" if is_wrapped else body)
    row = SignedAddress(
        spec=SPECS["ss58"],
        address=encode(SPECS["ss58"], key),
        account=key,
        message=text,
        signatures=(as_hex(raw),),
        schemes=("substrate-sr25519",),
    )
    return Made(row, raw, as_hex)
