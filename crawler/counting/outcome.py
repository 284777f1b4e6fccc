"""How a run ends: the policy's rules against what was found, and the exit code.

4  environment (endpoints disagree, reorg, disk)     raised, never computed here
2  usage, list or config error                       raised, never computed here
1  a proven discrepancy, or the policy failed
3  incomplete: more Gaps than the policy allows
0  otherwise
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crawler.counting.findings import proven
from crawler.counting.totals import CoinTotals, observed_share
from crawler.counting.units import percent
from crawler.result import Finding, Outcome
from crawler.settings import Policy

DISCREPANT, INCOMPLETE = 1, 3


def judge(policy: Policy, findings: Sequence[Finding], totals: Mapping[str, CoinTotals]) -> Outcome:
    """Apply the policy."""
    sentences: list[str] = []
    discrepancies = dict(proven(findings))
    refuted = sum(count for code, count in discrepancies.items() if code.startswith("refuted:"))
    others = {
        code: count for code, count in discrepancies.items() if not code.startswith("refuted:")
    }
    failed = bool(others) or refuted > policy.refuted_allowed
    if refuted:
        sentences.append(
            f"{refuted} row(s) with a refuted proof of ownership; the policy allows "
            f"{policy.refuted_allowed}."
        )
    sentences += [
        f"{code}: {count}; the policy allows none." for code, count in sorted(others.items())
    ]
    incomplete = not any(total.all.rows for total in totals.values())
    if incomplete:
        sentences.append("No row of the list claims an amount that counts: nothing was recounted.")
    for coin, total in totals.items():
        share = observed_share(total)
        if share is None and total.all.rows and not total.observed_rows:
            incomplete = True
            sentences.append(f"{coin}: none of its rows was observed.")
        if share is not None and share < policy.min_observed:
            incomplete = True
            sentences.append(
                f"{coin}: {percent(share, 1)}% of the claimed amount was observed; the policy "
                f"demands {percent(policy.min_observed, 1)}%."
            )
    if not sentences:
        sentences.append("Nothing was refuted, and enough of every asset was observed.")
    code = DISCREPANT if failed else INCOMPLETE if incomplete else 0
    return Outcome(exit_code=code, sentences=tuple(sentences))
