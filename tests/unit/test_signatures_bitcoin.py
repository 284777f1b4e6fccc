"""Signed messages of Bitcoin and its relatives: headers, address types, multisig scripts."""

from base64 import b64decode, b64encode
from hashlib import sha256

import coincurve
import pytest

from chains.addresses import decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures.scripts import parse_multisig
from chains.signatures.secp256k1 import hash160

pytestmark = pytest.mark.unit

TEXT = "I am an OKX address"


def chain(name="bip122:test", header="Bitcoin", **params):
    if header:
        params["message_header"] = header
    return ChainSpec(
        id=ChainId(name),
        name="Test",
        adapter="none",
        address="bitcoin",
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


BTC = chain(p2pkh=[0], p2sh=[5], hrp="bc")
BCH = chain(p2pkh=[0], p2sh=[5], cashaddr="bitcoincash")
KEYS = [coincurve.PrivateKey(bytes((i,)) * 32) for i in (1, 2, 3, 4)]
PUBLIC = [key.public_key.format() for key in KEYS]
LONG = [key.public_key.format(compressed=False) for key in KEYS]

# okx/proof-of-reserves common/crypto_test.go at 2962a89: a 2-of-3 script and its address
VECTOR_ADDRESS = "3Fs7C97NmvhWUZ2pSjth9YbTxMv4sk9nHi"
VECTOR_TEXT = "I am a OKX address"
VECTOR = (
    "H2vshvcYTGrUw0XG1AundmbivdrhTWUOTqcXKhN+MqbaEfVYfGkgDhEumiJoEJFhlzuma6bBpg4pXNUHoTENOPI=",
    "H1eFA8Y2woAnDqxamcLDMVDr4Jd8g6PiagExWCyzvZNZU8xZ2TKV2RNcbXArRgUfniLzgJFvzmBEUC6vgM5bd7A=",
)
VECTOR_SCRIPT = (
    "522103447bead626f13c79de937c0879b64172e5984456a47350b44e8bd23a02e6895e"
    "2103864969c155d42c5f61999bcaafeadfc8574b033142f03b5bf3025c6794570b95"
    "2103304fa164de84f710e44a563f5038d355d6a36a1d7f25695cba884f0b4b6d184653ae"
)


def sign(key, header=None, text=TEXT, words="Bitcoin"):
    raw = key.sign_recoverable(digests.bitcoin_message(words, text), hasher=None)
    base = 31 if header is None else header
    return b64encode(bytes((base + raw[64],)) + raw[:64]).decode()


def multisig(threshold, keys, total=None):
    pushes = b"".join(bytes((len(key),)) + key for key in keys)
    count = len(keys) if total is None else total
    return bytes((0x50 + threshold,)) + pushes + bytes((0x50 + count, 0xAE))


def p2pkh(key):
    return b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"


def p2sh(script):
    return b"\xa9\x14" + hash160(script) + b"\x87"


def p2wsh(script):
    return b"\x00\x20" + sha256(script).digest()


def p2wpkh(key):
    return b"\x00\x14" + hash160(key)


def row(account, *given, scheme="okx-utxo", spec=BTC, message=TEXT, script=""):
    return SignedAddress(
        spec=spec,
        address=encode(spec, account),
        account=account,
        message=message,
        signatures=given,
        schemes=(scheme,),
        script=script.hex() if isinstance(script, bytes) else script,
    )


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    return caught.value.code


def vector(*given, script=VECTOR_SCRIPT, message=VECTOR_TEXT):
    account = decode(BTC, VECTOR_ADDRESS)
    return row(account, *given, script=script, message=message)


def test_the_published_multisig_row_is_bound_by_both_keys():
    outcome = judge(vector(*VECTOR))
    assert outcome.status is Ownership.BOUND
    assert outcome.reason == "script-keys-signed"
    assert len(set(outcome.keys)) == 2


def test_published_multisig_row_with_something_missing_or_wrong():
    assert code_of(vector(VECTOR[0])) == "below-threshold"
    assert code_of(vector(VECTOR[0], VECTOR[0])) == "below-threshold"
    assert code_of(vector(*VECTOR, script="")) == "missing-script"
    assert code_of(vector(*VECTOR, message=TEXT)) == "wrong-key"
    assert code_of(vector(*VECTOR, script=VECTOR_SCRIPT.replace("52", "51", 1))) == "wrong-script"
    assert code_of(vector(*VECTOR, script=VECTOR_SCRIPT + " ")) == "bad-script"
    assert code_of(vector(*VECTOR, script="not hex")) == "bad-script"


WRAPS = {"p2sh": p2sh, "p2wsh": p2wsh, "p2sh-p2wsh": lambda script: p2sh(p2wsh(script))}


@pytest.mark.parametrize("wrap", WRAPS)
def test_m_distinct_keys_of_the_script_must_sign(wrap):
    script = multisig(2, PUBLIC[:3])
    account = WRAPS[wrap](script)
    good = row(account, sign(KEYS[0]), sign(KEYS[2]), script=script)
    assert judge(good).keys == (PUBLIC[0], PUBLIC[2])
    stranger = row(account, sign(KEYS[0]), sign(KEYS[3]), script=script)
    assert code_of(stranger) == "wrong-key"
    twice = row(account, sign(KEYS[0]), sign(KEYS[0]), script=script)
    assert code_of(twice) == "below-threshold"
    other_text = row(account, sign(KEYS[0]), sign(KEYS[1], text="huobi"), script=script)
    assert code_of(other_text) == "wrong-key"


def test_a_second_signature_is_never_dropped():
    script = multisig(1, PUBLIC[:2])
    account = p2sh(script)
    assert judge(row(account, sign(KEYS[0]), script=script)).status is Ownership.BOUND
    assert code_of(row(account, sign(KEYS[0]), "null", script=script)) == "bad-signature"
    assert code_of(row(account, sign(KEYS[0]), sign(KEYS[3]), script=script)) == "wrong-key"


def test_two_signatures_cannot_meet_three_of_n():
    script = multisig(3, PUBLIC)
    given = (sign(KEYS[0]), sign(KEYS[1]))
    assert code_of(row(p2wsh(script), *given, script=script)) == "below-threshold"
    assert judge(row(p2wsh(script), *given, sign(KEYS[2]), script=script)).keys == tuple(PUBLIC[:3])


def test_one_key_in_two_forms_is_one_key():
    script = multisig(2, [PUBLIC[0], LONG[0], PUBLIC[1]])
    given = (sign(KEYS[0]), sign(KEYS[0], header=27))
    assert code_of(row(p2sh(script), *given, script=script)) == "below-threshold"
    with pytest.raises(Refused) as caught:
        parse_multisig(multisig(2, [PUBLIC[0], LONG[0]]))
    assert caught.value.code == "bad-script"


def test_the_header_must_fit_the_form_of_the_key_in_the_script():
    script = multisig(1, [PUBLIC[0], LONG[1]])
    account = p2sh(script)
    assert judge(row(account, sign(KEYS[1], header=27), script=script)).keys == (PUBLIC[1],)
    assert code_of(row(account, sign(KEYS[0], header=27), script=script)) == "wrong-key"
    assert code_of(row(account, sign(KEYS[1], header=31), script=script)) == "wrong-key"


BAD_LONG = LONG[0][:-1] + bytes((LONG[0][-1] ^ 2,))


BAD_SCRIPTS = {
    "empty": b"",
    "no keys": b"\xae",
    "no total": b"\x51\xae",
    "0 of 2": multisig(0, PUBLIC[:2]),
    "3 of 2": multisig(3, PUBLIC[:2]),
    "total above the keys": multisig(1, PUBLIC[:2], total=3),
    "total below the keys": multisig(1, PUBLIC[:2], total=1),
    "0 of 0": multisig(1, [], total=0),
    "1 of 0": multisig(1, [], total=1),
    "17 keys": multisig(1, [*PUBLIC, *PUBLIC, *PUBLIC, *PUBLIC, PUBLIC[0]]),
    "trailing byte": multisig(1, PUBLIC[:2]) + b"\x51",
    "leading byte": b"\x51" + multisig(1, PUBLIC[:2]),
    "short push": multisig(1, [PUBLIC[0], PUBLIC[1][:-1]]),
    "bad prefix": multisig(1, [PUBLIC[0], b"\x05" + PUBLIC[1][1:]]),
    "long prefix on a short key": multisig(1, [PUBLIC[0], b"\x04" + PUBLIC[1][1:]]),
    "hybrid key": multisig(1, [LONG[0], b"\x06" + LONG[1][1:]]),
    "no point": multisig(1, [BAD_LONG]),
    "one key twice": multisig(2, [PUBLIC[0], PUBLIC[0]]),
    "checkmultisigverify": multisig(1, PUBLIC[:1])[:-1] + b"\xaf",
    "cut push": b"\x51\x21" + PUBLIC[0][:20] + b"\x51\xae",
    "push over the end": b"\x51\x21" + PUBLIC[0][:31] + b"\x51\xae",
    "pushdata": b"\x51\x4c\x21" + PUBLIC[0] + b"\x51\xae",
}


@pytest.mark.parametrize("name", BAD_SCRIPTS)
def test_only_plain_multisig_scripts_are_read(name):
    with pytest.raises(Refused) as caught:
        parse_multisig(BAD_SCRIPTS[name])
    assert caught.value.code == "bad-script"


def test_sixteen_keys_are_too_long_for_p2sh_but_fit_a_witness():
    keys = [coincurve.PrivateKey(bytes((i + 1,)) * 32).public_key.format() for i in range(16)]
    script = multisig(1, keys)
    assert len(script) > 520
    assert judge(row(p2wsh(script), sign(KEYS[0]), script=script)).status is Ownership.BOUND
    assert code_of(row(p2sh(script), sign(KEYS[0]), script=script)) == "wrong-script"


FORMS = {
    "long": p2pkh(LONG[0]),
    "short": p2pkh(PUBLIC[0]),
    "nested": p2sh(p2wpkh(PUBLIC[0])),
    "witness": p2wpkh(PUBLIC[0]),
}
HEADERS = {27: "long", 31: "short", 35: "nested", 39: "witness"}
BOUND = {
    "bitcoin-signmessage": {(27, "long"), (31, "short")},
    "okx-utxo": {(27, "long"), (31, "short"), (31, "nested"), (31, "witness")},
    "bip137": {
        (27, "long"),
        (31, "short"),
        (31, "nested"),
        (31, "witness"),
        (35, "nested"),
        (39, "witness"),
    },
    "bip137-loose": {(27, "long")}
    | {(header, form) for header in (31, 35, 39) for form in ("short", "nested", "witness")}
    | {(27, "nested"), (27, "witness")},
}


@pytest.mark.parametrize("scheme", BOUND)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("header", HEADERS)
def test_which_header_binds_which_address(scheme, form, header):
    case = row(FORMS[form], sign(KEYS[0], header=header), scheme=scheme)
    if (header, form) in BOUND[scheme]:
        outcome = judge(case)
        assert outcome.status is Ownership.BOUND
        assert outcome.keys == (LONG[0] if form == "long" else PUBLIC[0],)
        assert outcome.detail == ("" if HEADERS[header] == form else "loose")
    else:
        with pytest.raises((Refused, Unsupported)):
            judge(case)


@pytest.mark.parametrize("header", [0, 26, 35, 39, 43, 255])
def test_headers_outside_the_range_are_refused(header):
    raw = bytes((header,)) + b64decode(sign(KEYS[0]))[1:]
    case = row(FORMS["short"], b64encode(raw).decode())
    assert code_of(case) == "bad-recovery-id"


SPOILED = {
    "cut": lambda text: text[:-1],
    "too much padding": lambda text: text + "=",
    "newline at the end": lambda text: text + "\n",
    "space in front": lambda text: " " + text,
    "newline inside": lambda text: text[:40] + "\n" + text[40:],
    "no padding": lambda text: text.replace("=", ""),
    "66 bytes": lambda text: b64encode(b64decode(text) + b"\0").decode(),
    "64 bytes": lambda text: b64encode(b64decode(text)[:-1]).decode(),
    "unused bits set": lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=",
    "hex": lambda text: "0x" + b64decode(text).hex(),
    "null": lambda _: "null",
}


@pytest.mark.parametrize("name", SPOILED)
def test_only_exact_base64_is_read(name):
    good = sign(KEYS[0])
    assert judge(row(FORMS["short"], good)).status is Ownership.BOUND
    assert code_of(row(FORMS["short"], SPOILED[name](good))) in ("bad-signature", "bad-recovery-id")


def test_segwit_addresses_of_one_key_do_not_bind_where_there_is_no_segwit():
    nested = FORMS["nested"]
    assert judge(row(nested, sign(KEYS[0]), scheme="bip137")).status is Ownership.BOUND
    assert code_of(row(nested, sign(KEYS[0]), scheme="bip137", spec=BCH)) == "wrong-key"
    script = multisig(1, PUBLIC[:2])
    case = row(p2sh(p2wsh(script)), sign(KEYS[0]), script=script, spec=BCH)
    assert code_of(case) == "wrong-script"


def test_a_witness_program_in_the_script_column_is_a_single_key_address():
    case = row(FORMS["nested"], sign(KEYS[0]), script=p2wpkh(PUBLIC[0]))
    assert judge(case).reason == "key-derives-address"


def test_address_types_without_a_rule_are_our_gap():
    taproot = b"\x51\x20" + PUBLIC[0][1:]
    for scheme in BOUND:
        case = row(taproot, sign(KEYS[0]), scheme=scheme)
        assert code_of(case, Unsupported) == "unsupported-address-type"
    witness = row(FORMS["witness"], sign(KEYS[0]), scheme="bitcoin-signmessage")
    assert code_of(witness, Unsupported) == "unsupported-address-type"
    assert code_of(row(p2wsh(b"\x51"), sign(KEYS[0]))) == "missing-script"


def test_mpc_signatures_carry_r_s_v_over_okx_own_digest():
    raw = KEYS[0].sign_recoverable(digests.okx_ecdsa(TEXT), hasher=None)
    for form, account in FORMS.items():
        for plus in (27, 31):
            text = "0x" + raw[:64].hex() + bytes((raw[64] + plus,)).hex()
            outcome = judge(row(account, text))
            assert outcome.detail == "mpc"
            assert len(outcome.keys[0]) == (65 if form == "long" else 33)
    text = "0x" + raw[:64].hex() + bytes((raw[64],)).hex()
    assert code_of(row(FORMS["short"], text)) == "bad-recovery-id"
    script = multisig(1, PUBLIC[:2])
    text = "0x" + raw[:64].hex() + bytes((raw[64] + 27,)).hex()
    assert judge(row(p2sh(script), text, script=script)).keys == (PUBLIC[0],)


def test_header_words_belong_to_the_chain():
    spec = chain(p2pkh=["2089"], p2sh=["2096"], header=["Bitcoin", "Zcash"])
    for words in ("Bitcoin", "Zcash"):
        case = row(FORMS["short"], sign(KEYS[0], words=words), spec=spec)
        assert judge(case).detail == f"header {words}"
    assert code_of(row(FORMS["short"], sign(KEYS[0], words="Litecoin"), spec=spec)) == "wrong-key"
    known = chain("bip122:12a765e31ffd4059bada1e25190f6e98", "", p2pkh=[0x30], p2sh=[0x32])
    case = row(FORMS["short"], sign(KEYS[0], words="Litecoin"), spec=known)
    assert judge(case).status is Ownership.BOUND
    silent = chain(header="", p2pkh=[0], p2sh=[5])
    case = row(FORMS["short"], sign(KEYS[0]), spec=silent)
    assert code_of(case, Unsupported) == "unsupported-scheme"


def test_a_key_column_does_not_stand_in_for_a_signature():
    case = row(FORMS["short"], sign(KEYS[1]), script=PUBLIC[0])
    assert code_of(case) == "wrong-key"
    case = row(p2sh(PUBLIC[0]), sign(KEYS[0]), script=PUBLIC[0])
    assert code_of(case) == "bad-script"


def test_long_texts_are_framed_by_their_length_in_bytes():
    for text in ("x" * 252, "x" * 253, "é" * 200, "x" * 70_000):
        framed = digests.frame("Bitcoin Signed Message:\n", text)
        body = text.encode()
        prefix = framed[25 : len(framed) - len(body)]
        sizes = {1: len(body) < 253, 3: 253 <= len(body) < 65536, 5: len(body) >= 65536}
        assert sizes[len(prefix)]
        assert int.from_bytes(prefix[-max(1, len(prefix) - 1) :], "little") == len(body)
