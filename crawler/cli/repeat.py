"""The same run asked for once more: whether it is the same, and has its report already."""

from __future__ import annotations

from pathlib import Path

from crawler import jobs
from crawler.errors import UsageError
from crawler.inputs import Options, input_digests
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import RunPlace, storage_at
from crawler.result import Report
from crawler.settings import load_world
from crawler.watching.live import err


def check(options: Options, path: RunPlace) -> None:
    """Raise ``UsageError`` unless a run directory holds a run of these very inputs.

    Compared are the digests of the list and every other input file, the exchange, the number of
    proofs and the configuration; endpoints may change, and so may the number of processes.
    """
    manifest = RunDirectory.open(path, lock=False).manifest
    if manifest.kind != "run":
        raise UsageError(f"{path} is not empty: it holds a {manifest.kind}; choose another --run")
    given = {role: entry["sha256"] for role, entry in input_digests(options).items()}
    stored = {role: entry["sha256"] for role, entry in manifest.inputs.items()}
    other = [role for role in sorted({*given, *stored}) if given.get(role) != stored.get(role)]
    if manifest.options.get("exchange", "") != options.exchange:
        other.append("exchange")
    if manifest.options.get("proofs", 0) != options.proofs:
        other.append("proofs")
    if load_world([Path(one) for one in options.config]).digest != manifest.config_sha256:
        other.append("configuration")
    if other:
        raise UsageError(
            f"{path} is not empty: it holds a run of other inputs ({', '.join(other)}); choose "
            f"another --run directory, or continue that one with 'recount resume {path}'"
        )


def finished(path: RunPlace) -> Report:
    """Return the report of a run that has ended; raises ``UsageError`` where it has not."""
    if not storage_at(path).holds("report.json"):
        raise UsageError(
            f"{path} holds an unfinished run of these inputs; add --resume, or continue it with "
            f"'recount resume {path}'"
        )
    report = jobs.stored_report(path)
    err(
        f"recount: {path} holds the finished run of these inputs, of "
        f"{report.circumstances.finished}; nothing was asked. --resume asks what is still open"
    )
    return report
