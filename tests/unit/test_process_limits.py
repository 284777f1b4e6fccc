"""No library may take away what keeps hostile input from killing the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chains.signatures import Refused
from chains.signatures.antelope import parse_keys

pytestmark = pytest.mark.unit

EVERYTHING = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
import chains, crawler
for package in (chains, crawler):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from chains.signatures import bls
bls._py_ecc()
from chains.adapters.eip155 import provider
from chains import jsonrpc
from chains.model import Exchange, Request
deep = b'{"id":0,"result":' + b"[" * 200_000
print(jsonrpc.result(Exchange(request=Request(), endpoint="", body=deep)).reason)
print(sys.getrecursionlimit())
"""


def test_deep_json_is_a_gap_even_after_every_library_was_loaded():
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    reason, limit = done.stdout.split()
    assert reason == "truncated-answer"
    assert int(limit) <= 3000


@pytest.mark.parametrize("text", ['{"x":' + "[" * 300_000, '{"publicKey1":' + "[" * 300_000])
def test_a_key_column_of_deep_json_is_refused(text: str):
    with pytest.raises(Refused) as refused:
        parse_keys(text)
    assert refused.value.code == "bad-key"
