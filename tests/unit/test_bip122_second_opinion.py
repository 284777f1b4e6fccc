"""bitcoinlib agrees with our scripts, and leaves nothing in the home directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chains.adapters.bip122 import second_opinion
from chains.errors import ConfigError

pytestmark = pytest.mark.unit

# Spec: BIP 173 and BIP 350, test vectors
PAIRS = [
    (
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    ),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        bytes.fromhex("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
    ),
    (
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
        bytes.fromhex("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"),
    ),
]
# Spec: https://github.com/bitcoin/bips/blob/master/bip-0067.mediawiki, first vector
KEYS = [
    bytes.fromhex("02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8"),
    bytes.fromhex("02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f"),
]
MULTISIG = "39bgKC7RFbpoCRbtD5KEdkYKtNyhpsNa3Z"


def test_it_agrees_with_the_vectors() -> None:
    assert second_opinion.addresses(PAIRS) == []


def test_a_wrong_script_is_reported() -> None:
    text, script = PAIRS[2]
    wrong = script[:-3] + b"\x00\x88\xac"
    (difference,) = second_opinion.addresses([(text, wrong)])
    assert (difference.what, difference.ours, difference.theirs) == (
        text,
        wrong.hex(),
        script.hex(),
    )


def test_a_text_that_it_cannot_read_is_reported() -> None:
    (difference,) = second_opinion.addresses([("1nonsense", b"\x51")])
    assert "Error" in difference.theirs


def test_the_sample_is_bounded_and_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(second_opinion, "_script_of", lambda text, _: asked.append(text) or "51")
    pairs = [(f"address {i}", b"\x51") for i in range(50)]
    second_opinion.addresses(pairs, sample=7)
    second_opinion.addresses(pairs[::-1], sample=7)
    assert len(asked) == 14
    assert asked[:7] == asked[7:]


def test_it_derives_multisig_addresses() -> None:
    assert second_opinion.multisig(MULTISIG, KEYS[::-1], 2) == []
    (difference,) = second_opinion.multisig(MULTISIG, KEYS, 2)
    assert difference.ours == MULTISIG


def test_an_unknown_network_is_a_config_error() -> None:
    with pytest.raises(ConfigError):
        second_opinion.addresses(PAIRS, network="atlantis")


def test_importing_it_writes_nothing_into_the_home_directory(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    code = (
        "from chains.adapters.bip122 import second_opinion as s\n"
        "import sys\n"
        "assert 'bitcoinlib' not in sys.modules\n"
        f"assert s.addresses({PAIRS!r}) == []\n"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("BCL_DATA_DIR", "HOME")}
    env |= {"HOME": str(home), "TMPDIR": str(temporary)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert list(home.rglob("*")) == []
    assert list(temporary.rglob("*")) == []
