"""A made-up report with every kind of fault that a real one has, for the report tests.

``sample()`` is the golden report. Amounts are consistent: what is found, missing and not
looked at adds up, as ``crawler.counting.totals`` would have it.
"""

# ruff: noqa: E501 - addresses and records of one line each
from __future__ import annotations

from decimal import Decimal, localcontext

from crawler.result import (
    SCHEMA,
    AssetLine,
    Circumstances,
    Discrepancy,
    EndpointLine,
    EvidencePointer,
    Finding,
    Group,
    ListFacts,
    MessageLine,
    NetworkLine,
    Outcome,
    OwnershipGroup,
    RatioLine,
    Report,
    Result,
    ShareLine,
    SnapshotLine,
    StatementCheck,
    TotalCheck,
)


def text(value: Decimal) -> str:
    return format(value, "f")


def group(rows: int, claimed: str = "0", observed: str = "0") -> Group:
    with localcontext(prec=60):
        difference = Decimal(observed) - Decimal(claimed)
    return Group(rows=rows, claimed=claimed, observed=observed, difference=text(difference))


def cut_percent(part: str, whole: str) -> str | None:
    if not Decimal(whole):
        return None
    units = int(Decimal(part) * 1_000_000 / Decimal(whole))
    return f"{units // 10_000}.{units % 10_000:04d}"


def asset(
    name: str,
    verdict: str,
    *,
    match: tuple[int, str] = (0, "0"),
    surplus: tuple[int, str, str] = (0, "0", "0"),
    short: tuple[int, str, str] = (0, "0", "0"),
    unseen: tuple[int, str] = (0, "0"),
    owned: str = "0",
    excluded: str = "0",
    ownership: tuple[tuple[str, str, int, str], ...] = (),
    networks: tuple[tuple[str, str, str, str, str, str, str, str], ...] = (),
) -> AssetLine:
    """Build one asset from its groups.

    A network is (network, chain, id, class, claimed, observed, owned, unobserved).
    """
    with localcontext(prec=60):
        claimed = sum(map(Decimal, (match[1], surplus[1], short[1], unseen[1])), Decimal(0))
        observed = sum(map(Decimal, (match[1], surplus[2], short[2])), Decimal(0))
        seen = claimed - Decimal(unseen[1])
    groups = {
        "match": group(match[0], match[1], match[1]),
        "surplus": group(*surplus),
        "shortfall": group(*short),
        "unobserved": Group(rows=unseen[0], claimed=unseen[1], observed="0", difference="0"),
    }
    rows = match[0] + surplus[0] + short[0] + unseen[0]
    lines = tuple(
        NetworkLine(
            network=n, chain=c, asset_id=i, asset_class=k, rows=1 + len(n), claimed=a, observed=o,
            owned=w, unobserved=u,
        )
        for n, c, i, k, a, o, w, u in networks
    )  # fmt: skip
    classes: dict[str, Group] = {}
    for line in lines:
        old = classes.get(line.asset_class, group(0))
        with localcontext(prec=60):
            looked_at = Decimal(line.claimed) - Decimal(line.unobserved)
            difference = Decimal(line.observed) - looked_at
            classes[line.asset_class] = Group(
                rows=old.rows + line.rows,
                claimed=text(Decimal(old.claimed) + Decimal(line.claimed)),
                observed=text(Decimal(old.observed) + Decimal(line.observed)),
                difference=text(Decimal(old.difference) + difference),
            )
    return AssetLine(
        asset=name,
        verdict=verdict,
        rows=rows,
        claimed=text(claimed),
        observed=text(observed),
        owned=owned,
        unobserved=unseen[1],
        excluded=excluded,
        coverage=cut_percent(text(seen), text(claimed)),
        owned_share=cut_percent(owned, text(observed)),
        reconciliation=groups,
        ownership=tuple(
            OwnershipGroup(status=s, reason=r, rows=n, claimed=a) for s, r, n, a in ownership
        ),
        networks=lines,
        classes=classes,
        sources={"quorum/state": text(observed)} if rows > unseen[0] else {},
    )


def assets() -> tuple[AssetLine, ...]:
    return (
        asset(
            "APT", "not-looked-at", unseen=(41, "1630022.5"), owned="0",
            ownership=(("unsupported", "unconfirmed-scheme", 41, "1630022.5"),),
            networks=(("APT", "aptos:1", "aptos:1/slip44:637", "native", "1630022.5", "0", "0",
                       "1630022.5"),),
        ),
        asset(
            "BTC", "shortfall", match=(9120, "118290.50551712"),
            short=(3, "15512.40000000", "15389.13999999"), unseen=(12, "12.00120000"),
            owned="117871.1132", excluded="88.1",
            ownership=(
                ("bound", "key-derives-address", 8801, "117401.11320000"),
                ("bound", "script-keys-signed", 12, "470"),
                ("refuted", "wrong-signature", 2, "101.5"),
                ("signer-only", "control-unobserved", 8, "15500.9"),
                ("unsigned", "no-signature", 312, "341.39351712"),
            ),
            networks=(
                ("BTC", "bip122:000000000019d6689c085ae165831e93", "bip122:…/slip44:0", "native",
                 "118290.50551712", "118290.50551712", "117401.1132", "0"),
                ("BTC-TRC20", "tron:0x2b6653dc", "tron:0x2b6653dc/trc20:TN3W4H6rK2ce4vX9YnFQHwKENnHjoxb3m9",
                 "self-issued", "15501.9", "15378.63999999", "470", "0"),
                ("BTC-LIGHTNING", "bip122:lightning", "", "wrapped", "22.5012", "10.5", "0",
                 "12.0012"),
            ),
        ),
        asset(
            "DOGE", "stands", match=(210, "8123456789.12345678"), owned="8123456789.12345678",
            ownership=(("bound", "key-derives-address", 210, "8123456789.12345678"),),
            networks=(("DOGE", "bip122:1a91e3dace36e2be3bf030a65679fe82", "bip122:…/slip44:3", "native",
                       "8123456789.12345678", "8123456789.12345678", "8123456789.12345678", "0"),),
        ),
        asset(
            "ETH", "incomplete", match=(402100, "1420000.000000000000000001"),
            unseen=(15000, "151240.5"), owned="1033000.25",
            ownership=(
                ("bound", "key-derives-address", 300000, "1000000"),
                ("controlled", "owner-in-control", 14, "33000.25"),
                ("signer-only", "no-address-rule", 2086, "86999.749999999999999999"),
                ("unsigned", "no-signature", 100000, "300000.000000000000000002"),
                ("unsupported", "unsupported-scheme", 15000, "151240.5"),
            ),
            networks=(
                ("ETH", "eip155:1", "eip155:1/slip44:60", "native", "1200000", "1200000",
                 "1000000", "0"),
                ("ETH-ARBITRUM", "eip155:42161", "eip155:42161/slip44:60", "bridged",
                 "151240.5", "0", "0", "151240.5"),
                ("STETH", "eip155:1", "eip155:1/erc20:0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84",
                 "receipt", "220000.000000000000000001", "220000.000000000000000001",
                 "33000.25", "0"),
            ),
        ),
        asset(
            "LTC", "surplus", match=(60, "88000"), surplus=(2, "12000", "14100.75"),
            owned="102100.75",
            ownership=(("bound", "key-derives-address", 62, "100000"),),
            networks=(("LTC", "bip122:12a765e31ffd4059bada1e25190f6e98", "bip122:…/slip44:2", "native",
                       "100000", "102100.75", "102100.75", "0"),),
        ),
        asset(
            "USDT", "shortfall", match=(1201, "6890200100.120001"),
            short=(1, "1000000.5", "1000000.499999"), owned="5693700100.12",
            ownership=(
                ("bound", "key-derives-address", 1100, "5693700100.12"),
                ("unsigned", "no-signature", 102, "1197500000.500001"),
            ),
            networks=(
                ("USDT-ERC20", "eip155:1", "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7",
                 "native", "2694700100.620001", "2694700100.620000", "2694700100.12", "0"),
                ("USDT-TRC20", "tron:0x2b6653dc", "tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
                 "native", "3000000000", "3000000000", "2999000000", "0"),
                ("aEthUSDT", "eip155:1", "eip155:1/erc20:0x23878914EFE38d27C4D67Ab83ed1b93A74D4086a",
                 "receipt", "1196500000", "1196500000", "0", "0"),
            ),
        ),
    )  # fmt: skip


def findings() -> tuple[Finding, ...]:
    return (
        Finding(about="exchange", code="refuted:wrong-signature",
                sentence="The signature does not verify for this message and key.",
                count=2, rows=(1204, 88311), amounts={"BTC": "101.5"}),
        Finding(about="exchange", code="shortfall",
                sentence="The chain holds less than the row claims.",
                count=4, rows=(77, 1204, 5120, 402113),
                amounts={"BTC": "123.26000001", "USDT": "0.000001"}),
        Finding(about="exchange", code="conflict",
                sentence="The same account and asset is listed with different amounts.",
                count=2, rows=(311, 9020), amounts={"BTC": "88.1"}),
        Finding(about="exchange", code="message-reused",
                sentence="The signed text is the same as in last month's list.",
                count=150, rows=tuple(range(200, 300)), amounts={}),
        Finding(about="recount", code="gap:no-adapter",
                sentence="This network is named in the configuration but not supported yet.",
                count=41, rows=tuple(range(500001, 500042)), amounts={"APT": "1630022.5"}),
        Finding(about="recount", code="gap:state-pruned",
                sentence="The node no longer holds the state at this height.",
                count=15000, rows=tuple(range(420000, 420100)), amounts={"ETH": "151240.5"}),
        Finding(about="note", code="composition:receipt",
                sentence="17.37% of the claimed USDT is a lending receipt at one address.",
                count=1, rows=(402090,), amounts={"USDT": "1196500000"}),
    )  # fmt: skip


def ratios() -> tuple[RatioLine, ...]:
    def line(asset_name: str, *, owned: str, recounted: str, claimed: str, liabilities: str,
             stated: str | None, lower: bool) -> RatioLine:  # fmt: skip
        return RatioLine(
            asset=asset_name, liabilities=liabilities, trust="published-sum",
            source="zk-STARK v1, sum tree root", as_of="2024-06-10", claimed=claimed,
            recounted=recounted, owned=owned, stated=stated,
            implied_liabilities="128667.21799711" if stated else None, lower_bound=lower,
        )  # fmt: skip

    return (
        RatioLine(asset="APT", liabilities="1600000", trust="published-sum",
                  source="zk-STARK v1, sum tree root", as_of="2024-06-10", claimed="101.8764",
                  recounted=None, owned=None, stated="101", implied_liabilities="1613883.66336633",
                  lower_bound=True),
        line("BTC", claimed="104.0000", recounted="103.8950", owned="91.6093",
             liabilities="128667.21799711", stated="104", lower=True),
        line("DOGE", claimed="100.8112", recounted="100.8112", owned="100.8112",
             liabilities="8058089999", stated=None, lower=False),
        line("ETH", claimed="102.0286", recounted="92.2077", owned="67.0779",
             liabilities="1540000", stated="102", lower=True),
        line("LTC", claimed="101.0101", recounted="103.1320", owned="103.1320",
             liabilities="99000", stated="100", lower=False),
        line("USDT", claimed="107.0000", recounted="106.9999", owned="88.4052",
             liabilities="6440374000.6", stated="107", lower=False),
    )  # fmt: skip


def discrepancies() -> tuple[Discrepancy, ...]:
    return (
        Discrepancy(row=77, kind="shortfall", reason="", asset="BTC", label="BTC", network="BTC",
                    address="bc1qm34lsc65zpw79lxes69zkqmk6ee3ewf0j77s3h", claimed="15000",
                    observed="14876.74", difference="-123.26"),
        Discrepancy(row=311, kind="conflict", reason="conflict:9020", asset="BTC", label="BTC",
                    network="BTC", address="3LYJfcfHPXYJreMsASk2jkn69LWEYKzexb",
                    claimed="44.05", observed="44.05", difference="0"),
        Discrepancy(row=1204, kind="refuted", reason="wrong-signature", asset="BTC", label="BTC",
                    network="BTC", address="1P5ZEDWTKTFGxQjZphgWPQUpe554WKDfHQ",
                    claimed="100.4", observed="100.39999999", difference="-0.00000001"),
        Discrepancy(row=5120, kind="shortfall", reason="", asset="BTC", label='"><img src=x onerror=alert(1)>',
                    network="safe\u202egnp.exe", address="<script>alert(1)</script>", claimed="412", observed="412",
                    difference="0"),
        Discrepancy(row=88311, kind="refuted", reason="wrong-signature", asset="BTC", label="BTC",
                    network="BTC", address="bc1q" + "x" * 180, claimed="1.1", observed=None,
                    difference=None),
        Discrepancy(row=402113, kind="shortfall", reason="", asset="USDT", label="USDT-ERC20",
                    network="USDT-ERC20", address="0x5041ed759Dd4aFc3a72b8192C143F72f4724081A",
                    claimed="1000000.5", observed="1000000.499999", difference="-0.000001"),
    )  # fmt: skip


def result() -> Result:
    totals = (
        TotalCheck(row=3, label="BTC (ALL)", stated="133814.91", rows_sum="133814.90671712",
                   recounted="133679.64551711", difference="0.00328288", verdict="rounding"),
        TotalCheck(row=4, label="ETH", stated="1571240.5", rows_sum="1571240.500000000000000001",
                   recounted="1420000.000000000000000001", difference="-0.000000000000000001",
                   verdict="rounding"),
        TotalCheck(row=5, label="USDT", stated="6992200000", rows_sum="6891200100.620001",
                   recounted="6891200100.62", difference="100999899.379999", verdict="differs"),
        TotalCheck(row=6, label="OKT", stated="12", rows_sum=None, recounted=None, difference=None,
                   verdict="no-rows"),
    )  # fmt: skip
    return Result(
        schema=SCHEMA,
        list=ListFacts(
            name="por_20240610_v3.csv",
            sha256="9f2b4a7d0c1e55aa0b7c6f3d2e1908f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1",
            dialect="okx",
            exchange="OKX",
            lines={"lines": 427820, "header": 2, "total": 4, "blank": 30, "claim": 427752,
                   "signer": 28, "malformed": 4, "continuation": 0},
            validity={"valid": 427740, "repeat-of": 6, "conflict": 2, "bad-amount": 4,
                      "signer-row": 28},
        ),
        policy={"name": "default", "digest": "sha256:1f0e…", "refuted": 0,
                "minimum-coverage": "95", "counts": ["bound", "controlled"]},
        config_sha256="77aa0b7c6f3d2e1908f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d19f2b4a7d0c1e",
        snapshots=(
            SnapshotLine(chain="aelf:AELF", name="aelf", height=217710000, block_hash="b1" * 32,
                         time=0),
            SnapshotLine(chain="bip122:000000000019d6689c085ae165831e93", name="Bitcoin",
                         height=847100, block_hash="00" * 10 + "3f" * 22, time=1717999512),
            SnapshotLine(chain="eip155:1", name="Ethereum", height=20059100,
                         block_hash="0x" + "c4" * 32, time=1718000003),
            SnapshotLine(chain="tron:0x2b6653dc", name="TRON", height=62400512,
                         block_hash="0000000003b82a40" + "7e" * 24, time=1718001999),
        ),
        assets=assets(),
        totals=totals,
        ratios=ratios(),
        statement=(
            StatementCheck(what="addresses", stated="628484", found="427752", verdict="fails",
                           note="The list given is the file of 10 June 2024."),
            StatementCheck(what="ratio of BTC at least", stated="104%", found="≥ 103.8950%",
                           verdict="cannot-tell", note="12 rows could not be looked at."),
            StatementCheck(what="ratio of DOGE at least", stated="100%", found="100.8112%",
                           verdict="holds", note=""),
        ),
        shares=(
            ShareLine(
                asset_id="eip155:1/erc20:0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0",
                network="Ethereum", asset="wstETH", height=20059100, rows=2,
                observed="1000.5", call="stEthPerToken()", scale=18, rate="1167891234567890123",
                of_asset_id="eip155:1/erc20:0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84",
                of_asset="stETH", worth="1168.475180185174068061", gap="",
            ),
            ShareLine(
                asset_id="tron:0x2b6653dc/trc20:TU3kjFuhtEo42tsCBtfYUAZxoqQ4yuSLQ5",
                network="TRON", asset="sTRX", height=62400512, rows=1, observed="77", scale=18,
                call="exchangeRate()", rate=None, of_asset_id="tron:0x2b6653dc/slip44:195",
                of_asset="TRX", worth=None, gap="rate-unread",
            ),
        ),
        messages=(
            MessageLine(
                text="I am an OKX address", dated="undated", expected=True, rows=4181,
                schemes={"okx-evm": 4000, "okx-utxo": 181},
                claimed={"BTC": "140017.40", "ETH": "1500000.5"},
            ),
        ),
        messages_left_out=0,
        findings=findings(),
        discrepancies=discrepancies(),
        discrepancies_left_out=0,
        does_not_prove=(
            "That the liabilities are complete: their sum is the exchange's own figure.",
            "That the coins were not borrowed for the snapshot: only one moment was looked at.",
            "When the signatures were made: the signed texts carry no date.",
            "Anything about aelf and TRON beyond simulated nodes: never run against a live network.",
        ),
        outcome=Outcome(
            exit_code=1,
            sentences=(
                "Policy: nothing refuted. Found: 2 rows refuted. Fails.",
                "Policy: at least 95% of each amount observed. Found: APT 0.0000%. Fails.",
            ),
        ),
    )  # fmt: skip


def circumstances() -> Circumstances:
    return Circumstances(
        run="runs/okx-2024-06",
        started="2024-06-12T01:00:04Z",
        finished="2024-06-12T04:41:55Z",
        versions={"recount": "0.1.0", "python": "3.11.9", "coincurve": "21.0.0"},
        attempts=2,
        endpoints=(
            EndpointLine(name="btc-own", chain="bip122:000000000019d6689c085ae165831e93",
                         role="primary", url="http://127.0.0.1:8332/", used=True, rejected="",
                         troubles={}, requests=214),
            EndpointLine(name="eth-archive", chain="eip155:1", role="primary",
                         url="https://node.example/***", used=True, rejected="",
                         troubles={"rate-limited": 412, "state-pruned": 15000, "timeout": 3},
                         requests=90233),
            EndpointLine(name="eth-witness", chain="eip155:1", role="witness",
                         url="https://other.example/", used=False, rejected="canary-failed",
                         troubles={}, requests=4),
        ),
        evidence=(
            EvidencePointer(row=77, pack="evidence/0a4f19.1.zst", sha256="5d" * 32),
            EvidencePointer(row=1204, pack="evidence/0a4f19.1.zst", sha256="6e" * 32),
            EvidencePointer(row=402113, pack="evidence/77b0c2.2.zst", sha256="7f" * 32),
        ),
    )  # fmt: skip


def sample() -> Report:
    return Report(result=result(), circumstances=circumstances())
