"""BIP-322 signatures made for tests, by plain byte handling of their own.

Nothing here is shared with the verifier but the digests, which published vectors pin
(tests/unit/test_signatures_bip322.py).
"""

from base64 import b64encode
from hashlib import sha256

import coincurve

from chains.addresses import encode
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures import SignedAddress
from chains.signatures.bip322 import to_spend
from chains.signatures.bitcoin_transaction import (
    Input,
    Output,
    Transaction,
    legacy_digest,
    tagged_hash,
    taproot_digest,
    witness_digest,
)
from chains.signatures.digests import compact_size
from chains.signatures.secp256k1 import hash160, sha256d

BTC = ChainSpec(
    id=ChainId("test:1"),
    name="Test",
    adapter="none",
    address="bitcoin",
    native=AssetId("test:1/slip44:0"),
    address_params={"p2pkh": [0], "p2sh": [5], "hrp": "bc", "message_header": "Bitcoin"},
)
KEYS = [coincurve.PrivateKey(bytes((i,)) * 32) for i in (1, 2, 3, 4)]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def public(key):
    return key.public_key.format()


def x_only(key):
    return public(key)[1:]


def push(payload):
    """Push by its shortest opcode, small numbers aside."""
    if not payload:
        return b"\x00"
    if len(payload) <= 75:
        return bytes((len(payload),)) + payload
    if len(payload) <= 255:
        return b"\x4c" + bytes((len(payload),)) + payload
    return b"\x4d" + len(payload).to_bytes(2, "little") + payload


def multisig(threshold, keys):
    pushed = b"".join(push(public(key)) for key in keys)
    return bytes((0x50 + threshold,)) + pushed + bytes((0x50 + len(keys), 0xAE))


def p2pkh(key):
    return b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"


def p2wpkh(key):
    return b"\x00\x14" + hash160(key)


def p2wsh(script):
    return b"\x00\x20" + sha256(script).digest()


def p2sh(script):
    return b"\xa9\x14" + hash160(script) + b"\x87"


def p2tr(key):
    """The key itself as output key: the verifier cannot tell how it was made."""
    return b"\x51\x20" + x_only(key)


def row(account, text, signature, **other):
    return SignedAddress(
        spec=BTC,
        address=encode(BTC, account),
        account=account,
        message=text,
        signatures=(signature,),
        schemes=("bip322",),
        **other,
    )


def sign_ecdsa(key, digest, hash_type=1):
    return key.sign(digest, hasher=None) + bytes((hash_type,))


def stack_bytes(elements):
    body = b"".join(compact_size(len(one)) + one for one in elements)
    return compact_size(len(elements)) + body


class Proof:
    """A spending transaction in the making."""

    def __init__(self, account, text, **changes):
        self.account, self.text = account, text
        self.version = changes.pop("version", 0)
        self.lock_time = changes.pop("lock_time", 0)
        self.sequence = changes.pop("sequence", 0)
        self.index = changes.pop("index", 0)
        self.spent = changes.pop("spent", sha256d(to_spend(text, account)))
        self.script = changes.pop("script", b"")
        self.outputs = changes.pop("outputs", [(0, b"\x6a")])
        self.more_inputs = changes.pop("more_inputs", 0)
        assert not changes

    @property
    def transaction(self):
        more = tuple(Input(bytes((9,)) * 32, i, b"", 0) for i in range(self.more_inputs))
        return Transaction(
            version=self.version,
            inputs=(Input(self.spent, self.index, self.script, self.sequence), *more),
            outputs=tuple(Output(*one) for one in self.outputs),
            lock_time=self.lock_time,
        )

    def ecdsa(self, key, code, hash_type=1):
        return sign_ecdsa(key, witness_digest(self.transaction, code, 0), hash_type)

    def legacy(self, key, script, hash_type=1):
        return sign_ecdsa(key, legacy_digest(self.transaction, script), hash_type)

    def schnorr(self, key, leaf=b"", hash_type=0):
        spent = (Output(0, self.account),)
        digest = taproot_digest(self.transaction, spent, hash_type, leaf)
        return key.sign_schnorr(digest) + (bytes((hash_type,)) if hash_type else b"")

    def wire(self, witness):
        """The transaction in network form, with this witness for its first input."""
        made = self.transaction
        body = compact_size(len(made.inputs))
        for one in made.inputs:
            body += one.txid + one.index.to_bytes(4, "little")
            body += compact_size(len(one.script)) + one.script + one.sequence.to_bytes(4, "little")
        body += compact_size(len(made.outputs))
        for one in made.outputs:
            body += one.units.to_bytes(8, "little") + compact_size(len(one.script)) + one.script
        marker = b"\x00\x01" if witness else b""
        rest = b"\x00" * (len(made.inputs) - 1) if witness else b""
        stack = stack_bytes(witness) + rest if witness else b""
        version = (made.version & 0xFFFFFFFF).to_bytes(4, "little")
        return version + marker + body + stack + made.lock_time.to_bytes(4, "little")

    def sealed(self, witness=()):
        return row(self.account, self.text, "ful" + b64encode(self.wire(witness)).decode())

    def simple(self, witness):
        return row(self.account, self.text, "smp" + b64encode(stack_bytes(witness)).decode())

    def sealed_p2wpkh(self, key):
        return self.sealed([self.ecdsa(key, p2pkh(public(key))), public(key)])


def legacy_input(account, text, script, **fields):
    return Proof(account, text, script=script, **fields).sealed()


ACCOUNTS = {
    "p2wpkh": lambda: p2wpkh(public(KEYS[0])),
    "p2sh-p2wpkh": lambda: p2sh(p2wpkh(public(KEYS[0]))),
    "p2tr": lambda: p2tr(KEYS[0]),
    "p2wsh": lambda: p2wsh(multisig(2, KEYS[:3])),
    "p2sh-p2wsh": lambda: p2sh(p2wsh(multisig(2, KEYS[:3]))),
    "p2sh": lambda: p2sh(multisig(2, KEYS[:3])),
    "p2pkh": lambda: p2pkh(public(KEYS[0])),
}


def witness_of(proof, kind, keys):
    if kind.endswith("p2wpkh"):
        return [proof.ecdsa(keys[0], p2pkh(public(keys[0]))), public(keys[0])]
    if kind == "p2tr":
        return [proof.schnorr(keys[0])]
    script = multisig(2, KEYS[:3])
    return [b"", *(proof.ecdsa(key, script) for key in keys), script]


def simple(kind, text, keys):
    proof = Proof(ACCOUNTS[kind](), text)
    return proof.simple(witness_of(proof, kind, keys))


def full(kind, text, keys, **fields):
    """A full signature; the keys are those of the first address of its kind."""
    account = ACCOUNTS[kind]()
    if kind == "p2pkh":
        signature = Proof(account, text, **fields).legacy(keys[0], account)
        return legacy_input(account, text, push(signature) + push(public(keys[0])), **fields)
    if kind == "p2sh":
        script = multisig(2, KEYS[:3])
        proof = Proof(account, text, **fields)
        signatures = b"".join(push(proof.legacy(key, script)) for key in keys)
        return legacy_input(account, text, b"\x00" + signatures + push(script), **fields)
    if kind == "p2sh-p2wpkh":
        fields["script"] = push(p2wpkh(public(KEYS[0])))
    if kind == "p2sh-p2wsh":
        fields["script"] = push(p2wsh(multisig(2, KEYS[:3])))
    proof = Proof(account, text, **fields)
    return proof.sealed(witness_of(proof, kind, keys))


def script_row(script, witness, text="text", **fields):
    """A P2WSH row: ``witness`` holds elements, and indexes of keys that sign in their place."""
    proof = Proof(p2wsh(script), text, **fields)
    elements = [proof.ecdsa(KEYS[one], script) if isinstance(one, int) else one for one in witness]
    return proof.sealed([*elements, script])


def leaf_row(script, witness, text="text", *, version=0xC0, account=b"", **fields):
    """A P2TR row by its only leaf, with Schnorr signatures in place of indexes."""
    leaf = tagged_hash("TapLeaf", bytes((version,)) + compact_size(len(script)) + script)
    internal = x_only(KEYS[3])
    key = coincurve.PublicKeyXOnly(internal)
    key.tweak_add(tagged_hash("TapTweak", internal + leaf))
    proof = Proof(account or b"\x51\x20" + key.format(), text, **fields)
    elements = [proof.schnorr(KEYS[one], leaf) if isinstance(one, int) else one for one in witness]
    control = bytes((version | key.parity,)) + internal
    return proof.sealed([*elements, script, control])
