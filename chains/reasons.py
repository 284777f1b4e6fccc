"""Every reason code of the chain side, once, with a sentence for a person.

Codes are lower-case words joined by hyphens and never change their meaning.
``docs/reasons.md`` is generated from these tables.
"""

from __future__ import annotations

GAPS: dict[str, str] = {
    "rate-limited": "The endpoint kept asking us to slow down.",
    "unreachable": "The endpoint could not be reached.",
    "timeout": "The endpoint did not answer in time.",
    "server-error": "The endpoint answered with an HTTP error.",
    "refused": "The endpoint refused the request (credentials, method or plan).",
    "answer-too-large": "The answer was larger than our limit.",
    "truncated-answer": "The answer ended before it was complete.",
    "malformed-answer": "The answer does not follow the protocol.",
    "rpc-error": "The node answered with an error for this question.",
    "node-behind": "The node has not reached the height.",
    "state-pruned": "The node no longer holds the state at this height.",
    "no-history": "This chain offers no balance at a past height by this method.",
    "no-record": "The node answered zero without a record behind it.",
    "zero-without-canary": "The node said zero but did not show that it holds state for this block.",
    "wrong-block": "The answer is for another block than the pinned one.",
    "no-contract": "There is no contract at the asset's address at this height.",
    "call-failed": "The contract did not answer (reverted or returned too little).",
    "method-missing": "The endpoint does not offer a method that this question needs.",
    "no-endpoint": "No endpoint is configured for this network.",
    "no-usable-endpoint": "Every configured endpoint was rejected at the snapshot.",
    "no-adapter": "This network is named in the configuration but not supported yet.",
    "asset-unsupported": "The adapter of this network cannot read this kind of asset.",
    "asset-mismatch": "The asset's decimals or symbol on chain differ from our configuration.",
    "no-height": "The list gives no height for this row.",
    "not-answered": "The adapter ended without answering this question.",
    "adapter-error": "The adapter failed on this answer; this is a defect of recount.",
    "witness-disagrees": "A second endpoint gave another answer.",
    "scan-mismatch": "The scan was made at another block than the pinned one.",
    "dump-mismatch": "The UTXO set dump is of another block or network than the pinned one.",
}

SNAPSHOT: dict[str, str] = {
    "wrong-chain": "The endpoint serves another chain than the one declared for it.",
    "endpoints-disagree": "Two endpoints name different blocks at the same height.",
    "reorganised": "The pinned block is no longer part of the chain.",
    "canary-failed": "An account known not to be empty was reported as empty.",
}

OWNERSHIP: dict[str, str] = {
    "key-derives-address": "The address derives from the key that signed the expected message.",
    "script-keys-signed": "Enough distinct keys of the script behind the address signed.",
    "control-unobserved": "A named owner signed; whether it controls the address was not seen on chain.",
    "no-address-rule": "A key signed, but no rule ties this kind of address to a key.",
    "owner-in-control": "A named owner signed and the chain shows that it controls the address.",
    "owner-not-in-control": "A named owner signed but the chain shows that it does not control the address.",
    "owners-below-threshold": "Fewer named owners signed than the contract itself demands.",
    "no-signature": "The list publishes no signature for this row.",
    "unknown-network": "The network is not known to recount.",
    "unknown-label": "The asset label is not known for this exchange.",
    "unknown-scheme": "The signing scheme is not known to recount.",
    "unconfirmed-scheme": "The scheme has no vector that our own code did not make.",
    "unsupported-scheme": "The signing scheme of this network is not supported yet.",
    "unsupported-address-type": "Addresses of this type are not supported yet.",
    "bad-address": "The address does not decode under the row's network.",
    "bad-signature": "The signature is malformed.",
    "wrong-signature": "The signature does not verify for this message and key.",
    "wrong-key": "The signature is good but its key does not belong to the address.",
    "bad-key": "The public key of the row is malformed.",
    "missing-key": "The scheme needs a public key that the row does not give.",
    "weak-key": "The public key or nonce point is of small order or not canonical.",
    "high-s": "The signature's s is in the upper half, which this scheme forbids.",
    "bad-recovery-id": "The recovery id is outside the range of the scheme.",
    "bad-script": "The redeem script is not a plain multisig script.",
    "wrong-script": "The redeem script does not hash to the address.",
    "missing-script": "The address is a script hash but the row gives no script.",
    "below-threshold": "Fewer distinct keys of the script signed than it demands.",
    "bad-owner": "A named owner's address does not decode or repeats another one.",
    "owner-signature-missing": "A second owner is named but did not sign.",
    "unexpected-message": "The signed text is not one that this exchange uses for this list.",
    "message-not-pinned": "No expected text is configured; the row's own text stands.",
    "missing-message": "The row has a signature but no text.",
    "malformed-row": "The row could not be read.",
}
