"""The script interpreter: what it runs, what it has no rule for, what it refuses."""

from hashlib import sha256

import pytest

from chains.model import Ownership
from chains.signatures import Refused, Unsupported, judge
from chains.signatures.bitcoin_opcodes import OPCODES, parse
from chains.signatures.secp256k1 import hash160, sha256d
from tests.bip322_signing import (
    KEYS,
    Proof,
    leaf_row,
    legacy_input,
    multisig,
    p2pkh,
    p2sh,
    p2wpkh,
    p2wsh,
    public,
    push,
    script_row,
    x_only,
)

pytestmark = pytest.mark.unit

KEY, OTHER = push(public(KEYS[0])), push(public(KEYS[1]))
X, OTHER_X = push(x_only(KEYS[0])), push(x_only(KEYS[1]))
LONG = KEYS[0].public_key.format(compressed=False)
HYBRID = bytes((6 | LONG[64] & 1,)) + LONG[1:]
SECRET = b"a preimage of 32 bytes, made up."
CHECKSIG, VERIFY_SIGNED = b"\xac", b"\xad"


def end(case):
    """The status of a row that binds or is by a signer, else what was raised."""
    try:
        outcome = judge(case)
    except (Refused, Unsupported) as error:
        return error.code
    return outcome.status


RUN = {
    "a key": (KEY + CHECKSIG, [0]),
    "a key hash": (p2pkh(public(KEYS[0])), [0, public(KEYS[0])]),
    "verify": (KEY + CHECKSIG + b"\x69\x51", [0]),
    "checksigverify": (KEY + VERIFY_SIGNED + OTHER + CHECKSIG, [1, 0]),
    "if": (b"\x63" + KEY + b"\x67" + OTHER + b"\x68" + CHECKSIG, [0, b"\x01"]),
    "else": (b"\x63" + KEY + b"\x67" + OTHER + b"\x68" + CHECKSIG, [1, b""]),
    "notif": (b"\x64" + KEY + b"\x67" + OTHER + b"\x68" + CHECKSIG, [1, b"\x01"]),
    "nested if": (
        b"\x63\x63" + KEY + b"\x67" + OTHER + b"\x68\x67" + OTHER + b"\x68" + CHECKSIG,
        [0, b"\x01", b"\x01"],
    ),
    "sha256": (
        b"\x82\x01\x20\x88\xa8" + push(sha256(SECRET).digest()) + b"\x88" + KEY + CHECKSIG,
        [0, SECRET],
    ),
    "hash256": (b"\xaa" + push(sha256d(SECRET)) + b"\x88" + KEY + CHECKSIG, [0, SECRET]),
    "hash160": (b"\xa9" + push(hash160(SECRET)) + b"\x88" + KEY + CHECKSIG, [0, SECRET]),
    "booland": (KEY + CHECKSIG + b"\x7c" + OTHER + CHECKSIG + b"\x9a", [1, 0]),
    "boolor": (KEY + CHECKSIG + b"\x7c" + OTHER + CHECKSIG + b"\x9b", [b"", 0]),
    "add": (
        KEY + CHECKSIG + b"\x7c" + OTHER + CHECKSIG + b"\x93\x52\x9c",
        [1, 0],
    ),
    "0notequal": (KEY + CHECKSIG + b"\x92", [0]),
    "altstack": (KEY + CHECKSIG + b"\x6b" + OTHER + CHECKSIG + b"\x6c\x9a", [1, 0]),
    "ifdup": (KEY + CHECKSIG + b"\x73\x64" + OTHER + CHECKSIG + b"\x68", [0]),
    "multisigverify": (multisig(2, KEYS[:3])[:-1] + b"\xaf" + KEY[:0] + b"\x51", [b"", 0, 2]),
}


@pytest.mark.parametrize("name", RUN)
def test_scripts_that_are_satisfied(name):
    script, witness = RUN[name]
    assert end(script_row(script, witness)) is Ownership.BOUND


EITHER = b"\x63" + KEY + b"\x67" + OTHER + b"\x68" + CHECKSIG
FAIL = {
    "nothing given": (KEY + CHECKSIG, [], "wrong-signature"),
    "an element too many": (KEY + CHECKSIG, [b"\x01", 0], "wrong-signature"),
    "false at the end": (KEY + CHECKSIG, [b""], "wrong-signature"),
    "zero at the end": (KEY + VERIFY_SIGNED + b"\x00", [0], "wrong-signature"),
    "negative zero": (KEY + VERIFY_SIGNED + b"\x01\x80", [0], "wrong-signature"),
    "nobody signed": (b"\x51", [], "below-threshold"),
    "a preimage alone": (
        b"\xa8" + push(sha256(SECRET).digest()) + b"\x87",
        [SECRET],
        "below-threshold",
    ),
    "a wrong preimage": (
        b"\xa8" + push(sha256(SECRET).digest()) + b"\x88" + KEY + CHECKSIG,
        [0, SECRET[1:]],
        "wrong-signature",
    ),
    "any key": (CHECKSIG, [0, public(KEYS[0])], "wrong-key"),
    "one key twice": (KEY + VERIFY_SIGNED + KEY + CHECKSIG, [0, 0], "below-threshold"),
    "another key": (KEY + CHECKSIG, [1], "wrong-signature"),
    "if not minimal": (EITHER, [0, b"\x02"], "wrong-signature"),
    "if not minimal, the other branch": (EITHER, [1, b"\x02"], "wrong-signature"),
    "if not minimal, zero": (EITHER, [1, b"\x00"], "wrong-signature"),
    "if without endif": (b"\x63" + KEY + CHECKSIG, [0, b"\x01"], "bad-script"),
    "endif alone": (KEY + CHECKSIG + b"\x68", [0], "bad-script"),
    "else alone": (b"\x67" + KEY + CHECKSIG, [0], "bad-script"),
    "signatures in another order": (multisig(2, KEYS[:3]), [b"", 2, 1], "wrong-signature"),
    "signatures in reverse": (multisig(2, KEYS[:3]), [b"", 2, 0], "wrong-signature"),
    "extra element of multisig": (multisig(2, KEYS[:3]), [b"\x01", 0, 2], "wrong-signature"),
    "reserved": (KEY + CHECKSIG + b"\x50", [0], "unsupported-scheme"),
    "nop": (b"\x61" + KEY + CHECKSIG, [0], "unsupported-scheme"),
    "nop for upgrades": (b"\xb0" + KEY + CHECKSIG, [0], "unsupported-scheme"),
    "op_return": (KEY + CHECKSIG + b"\x6a", [0], "unsupported-scheme"),
    "not run but unknown": (
        b"\x63" + KEY + b"\x67\x61" + OTHER + b"\x68" + CHECKSIG,
        [0, b"\x01"],
        "unsupported-scheme",
    ),
    "codeseparator": (b"\xab" + KEY + CHECKSIG, [0], "bad-script"),
    "checksigadd": (b"\x00" + KEY + b"\xba", [0], "bad-script"),
    "hybrid key": (
        push(HYBRID) + CHECKSIG,
        [0],
        "bad-key",
    ),
    "cut push": (KEY + CHECKSIG + b"\x05\x01", [0], "bad-script"),
    "push not minimal": (b"\x4c" + KEY + CHECKSIG, [0], "bad-script"),
    "number not minimal": (
        KEY + CHECKSIG + b"\x7c\x51\x9c\x9a",
        [b"\x01\x00", 0],
        "wrong-signature",
    ),
    "long key": (
        push(KEYS[0].public_key.format(compressed=False)) + CHECKSIG,
        [0],
        "unsupported-scheme",
    ),
    "long element": (b"\x75" + KEY + CHECKSIG, [0, bytes(521)], "bad-signature"),
    "21 keys": (b"\x51" + KEY * 21 + b"\x01\x15\xae", [b"", 0], "bad-script"),
    "202 operations": (KEY + CHECKSIG + b"\x92" * 201, [0], "bad-script"),
    "long script": (KEY + CHECKSIG + (push(bytes(520)) + b"\x75") * 20, [0], "bad-script"),
}


@pytest.mark.parametrize("name", FAIL)
def test_scripts_that_are_not(name):
    script, witness, code = FAIL[name]
    assert end(script_row(script, witness)) == code


def test_limits_are_not_one_too_low():
    assert end(script_row(KEY + CHECKSIG + b"\x92" * 200, [0])) is Ownership.BOUND
    assert end(script_row(b"\x75" + KEY + CHECKSIG, [0, bytes(520)])) is Ownership.BOUND


def test_over_long_signatures_are_refused():
    filler = (push(bytes(520)) + b"\x75") * 188
    script = b"\x75" * 5 + filler + X + CHECKSIG
    assert end(leaf_row(filler + X + CHECKSIG, [0])) is Ownership.BOUND
    assert end(leaf_row(script, [0, *[bytes(520)] * 5])) == "bad-signature"


CLTV, CSV, DROP = b"\xb1", b"\xb2", b"\x75"


def locked(number, opcode):
    """NUMBER opcode DROP key CHECKSIG."""
    raw = number.to_bytes(number.bit_length() // 8 + 1, "little")
    return push(raw) + opcode + DROP + KEY + CHECKSIG


LOCKS = {
    "open at its height": (locked(700_000, CLTV), {"lock_time": 700_000}, Ownership.BOUND),
    "later than demanded": (locked(700_000, CLTV), {"lock_time": 900_000}, Ownership.BOUND),
    "too early": (locked(700_000, CLTV), {"lock_time": 699_999}, "wrong-signature"),
    "final input": (
        locked(700_000, CLTV),
        {"lock_time": 700_000, "sequence": 0xFFFFFFFF},
        "wrong-signature",
    ),
    "height against time": (
        locked(700_000, CLTV),
        {"lock_time": 1_600_000_000},
        "wrong-signature",
    ),
    "not long past": (locked(950_000, CLTV), {"lock_time": 950_000}, Ownership.SIGNER_ONLY),
    "time long past": (
        locked(1_600_000_000, CLTV),
        {"lock_time": 1_600_000_000},
        Ownership.BOUND,
    ),
    "time to come": (
        locked(2_000_000_000, CLTV),
        {"lock_time": 2_000_000_000},
        Ownership.SIGNER_ONLY,
    ),
    "age": (locked(2016, CSV), {"version": 2, "sequence": 2016}, Ownership.BOUND),
    "age too low": (locked(2016, CSV), {"version": 2, "sequence": 2015}, "wrong-signature"),
    "age in version 0": (locked(2016, CSV), {"sequence": 2016}, "wrong-signature"),
    "age switched off": (
        locked(2016, CSV),
        {"version": 2, "sequence": 2016 | 1 << 31},
        "wrong-signature",
    ),
    "seconds against blocks": (
        locked(2016, CSV),
        {"version": 2, "sequence": 2016 | 1 << 22},
        "wrong-signature",
    ),
    "no age demanded": (
        locked(2016 | 1 << 31, CSV),
        {"version": 2, "sequence": 2016},
        "unsupported-scheme",
    ),
}


@pytest.mark.parametrize("name", LOCKS)
def test_time_locks(name):
    script, fields, expected = LOCKS[name]
    assert end(script_row(script, [0], **fields)) == expected


LEAVES = {
    "a key": (X + CHECKSIG, [0], {}, Ownership.BOUND),
    "two of two": (X + CHECKSIG + OTHER_X + b"\xba\x52\x9c", [1, 0], {}, Ownership.BOUND),
    "one of two": (X + CHECKSIG + OTHER_X + b"\xba\x51\x9c", [b"", 0], {}, Ownership.BOUND),
    "too few": (X + CHECKSIG + OTHER_X + b"\xba\x52\x9c", [b"", 0], {}, "wrong-signature"),
    "one key twice": (X + CHECKSIG + X + b"\xba\x52\x9c", [0, 0], {}, "below-threshold"),
    "multisig": (multisig(1, KEYS[:2]), [b"", 0], {}, "bad-script"),
    "another leaf version": (X + CHECKSIG, [0], {"version": 0xC2}, "unsupported-scheme"),
    "success": (b"\x50", [], {}, "unsupported-scheme"),
    "another success": (X + CHECKSIG + b"\xfe", [0], {}, "unsupported-scheme"),
    "a key of another length": (KEY + CHECKSIG, [bytes(64)], {}, "unsupported-scheme"),
    "an empty key": (b"\x00" + CHECKSIG, [bytes(64)], {}, "bad-key"),
    "any key": (CHECKSIG, [0, x_only(KEYS[0])], {}, "wrong-key"),
    "nobody": (b"\x51", [], {}, "below-threshold"),
}


@pytest.mark.parametrize("name", LEAVES)
def test_taproot_scripts(name):
    script, witness, fields, expected = LEAVES[name]
    assert end(leaf_row(script, witness, **fields)) == expected


def test_input_scripts_only_push():
    account = p2pkh(public(KEYS[0]))
    proof = Proof(account, "text")
    given = push(proof.legacy(KEYS[0], account)) + push(public(KEYS[0]))
    assert end(legacy_input(account, "text", given)) is Ownership.BOUND
    assert end(legacy_input(account, "text", given + b"\x76\x75")) == "bad-signature"
    assert end(legacy_input(account, "text", b"\x51" + given)) == "bad-signature"
    assert end(legacy_input(account, "text", b"")) == "bad-signature"
    program = p2wpkh(public(KEYS[0]))
    nested = Proof(p2sh(program), "text", script=b"\x51" + push(program))
    assert end(nested.sealed_p2wpkh(KEYS[0])) == "bad-signature"
    proof.script = given
    assert end(proof.sealed([b"\x01"])) == "bad-signature"


def test_uncompressed_keys_outside_witnesses():
    key = KEYS[0].public_key.format(compressed=False)
    account = p2pkh(key)
    given = push(Proof(account, "text").legacy(KEYS[0], account)) + push(key)
    assert end(legacy_input(account, "text", given)) is Ownership.BOUND


def test_p2sh_scripts_must_hash_to_the_address():
    script = multisig(1, KEYS[:2])
    account = p2sh(script)
    signature = push(Proof(account, "text").legacy(KEYS[0], script))
    assert end(legacy_input(account, "text", b"\x00" + signature + push(script))) is Ownership.BOUND
    other = multisig(1, KEYS[:3])
    assert end(legacy_input(account, "text", b"\x00" + signature + push(other))) == "wrong-script"


def test_a_stranger_cannot_sign_for_an_address():
    mine, theirs = KEY + CHECKSIG, OTHER + CHECKSIG
    for code in (p2pkh(public(KEYS[0])), p2pkh(public(KEYS[1]))):
        proof = Proof(p2wpkh(public(KEYS[1])), "text")
        witness = [proof.ecdsa(KEYS[0], code), public(KEYS[0])]
        assert end(proof.simple(witness)) == "wrong-key"
        assert end(proof.sealed(witness)) == "wrong-key"
        proof = Proof(p2sh(p2wpkh(public(KEYS[1]))), "text")
        witness = [proof.ecdsa(KEYS[0], code), public(KEYS[0])]
        assert end(proof.simple(witness)) == "wrong-key"
        for program in (p2wpkh(public(KEYS[0])), p2wpkh(public(KEYS[1]))):
            proof.script = push(program)
            witness = [proof.ecdsa(KEYS[0], code), public(KEYS[0])]
            assert end(proof.sealed(witness)) in ("wrong-key", "wrong-script")
    proof = Proof(p2wsh(theirs), "text")
    assert end(proof.simple([proof.ecdsa(KEYS[0], mine), mine])) == "wrong-script"
    proof = Proof(p2sh(p2wsh(theirs)), "text")
    assert end(proof.simple([proof.ecdsa(KEYS[0], mine), mine])) == "wrong-key"
    for script in (mine, theirs):
        proof.script = push(p2wsh(script))
        assert end(proof.sealed([proof.ecdsa(KEYS[0], mine), mine])) == "wrong-script"
    signature = push(Proof(p2sh(theirs), "text").legacy(KEYS[0], mine))
    assert end(legacy_input(p2sh(theirs), "text", signature + push(mine))) == "wrong-script"
    account = p2pkh(public(KEYS[1]))
    given = push(Proof(account, "text").legacy(KEYS[0], account)) + push(public(KEYS[0]))
    assert end(legacy_input(account, "text", given)) == "wrong-key"
    leaf = leaf_row(X + CHECKSIG, [0], account=b"\x51\x20" + x_only(KEYS[1]))
    assert end(leaf) == "wrong-script"


def test_every_known_operation_parses_and_every_other_one_has_no_rule():
    for opcode in range(0x61, 0x100):
        if opcode in OPCODES:
            assert parse(bytes((opcode,))) == (OPCODES[opcode],)
        else:
            with pytest.raises((Refused, Unsupported)):
                parse(bytes((opcode,)))


BAD_DER = {
    "empty": b"",
    "no sequence": b"\x31\x06\x02\x01\x01\x02\x01\x01",
    "wrong length": b"\x30\x07\x02\x01\x01\x02\x01\x01",
    "negative r": b"\x30\x06\x02\x01\x81\x02\x01\x01",
    "negative s": b"\x30\x06\x02\x01\x01\x02\x01\x81",
    "padded r": b"\x30\x07\x02\x02\x00\x01\x02\x01\x01",
    "padded s": b"\x30\x07\x02\x01\x01\x02\x02\x00\x01",
    "no integer": b"\x30\x06\x03\x01\x01\x02\x01\x01",
    "empty r": b"\x30\x06\x02\x00\x02\x02\x01\x01",
    "r over the end": b"\x30\x06\x02\x20\x01\x02\x01\x01",
    "bytes behind": b"\x30\x06\x02\x01\x01\x02\x01\x01\x00",
}


@pytest.mark.parametrize("name", BAD_DER)
def test_only_strict_der_is_read(name):
    assert end(script_row(KEY + CHECKSIG, [BAD_DER[name] + b"\x01"])) == "bad-signature"
