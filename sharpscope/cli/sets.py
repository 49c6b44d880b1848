"""`sharpscope sets`: which corpora are known and which are on disk."""

from __future__ import annotations

import json
from collections import Counter

import click

from sharpscope.cli.completion import complete_sets
from sharpscope.cli.group import main

# Findings of one kind that are printed; a wrong copy may have thousands.
SHOWN = 20


@main.command()
@click.option("--data", type=click.Path(), envvar="SHARPSCOPE_DATA", help="Folder that holds the corpora.")
@click.option(
    "--check",
    shell_complete=complete_sets,
    metavar="SET",
    help="Open every file of one set, named as for measure --sets.",
)
@click.option(
    "--verify",
    shell_complete=complete_sets,
    metavar="KEY",
    help="Compare a copy with published counts; look through its audio. Also name=LIST.",
)
@click.option("--sample", type=int, default=500, show_default=True, help="Files --verify decodes; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, with licence and address of each.")
@click.option("--quiet", is_flag=True, help="No progress.")
def sets(
    data: str | None, check: str | None, verify: str | None, sample: int, as_json: bool, quiet: bool
) -> None:
    r"""List every known corpus: where it was found, its trials against the published ones, missing audio.

    \b
    sharpscope sets --data /corpora
    sharpscope sets --data /corpora --check for@norm/testing
    sharpscope sets --data /corpora --verify 19la
    """
    from sharpscope.corpora.survey import survey

    if verify:
        _verify(verify, data, sample, as_json, quiet)
        return
    if check:
        _check(check, data, as_json)
        return
    entries = survey(data, report=None if quiet else lambda key: click.echo(f"{key} ...", err=True))
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in entries], indent=2, ensure_ascii=False))
        return
    rows = [("key", "found", "published", "missing", "licence", "where or what was looked for")]
    for entry in entries:
        found = f"{entry.bonafide}/{entry.spoof}" if entry.bonafide is not None else "no"
        if entry.folder and entry.bonafide is None:
            found = "damaged"
        missing = "" if entry.missing is None else str(entry.missing)
        where = ": ".join(text for text in (entry.folder, entry.note) if text) or entry.source
        rows.append((entry.key, found, entry.published, missing, entry.licence.split(" (")[0][:20], where))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)]
        click.echo("  ".join([*cells, row[5]]))
    there = sum(bool(entry.folder) for entry in entries)
    where = f"under {data}" if data else "(no --data and no SHARPSCOPE_DATA: nowhere looked)"
    click.echo(
        f"{there} of {len(entries)} corpora found {where}; bona fide/spoof. "
        "Next: sharpscope measure CHECKPOINT --sets KEY",
        err=True,
    )


def _check(spec: str, data: str | None, as_json: bool) -> None:
    from sharpscope.corpora import read_set
    from sharpscope.corpora.survey import undecodable
    from sharpscope.errors import SharpscopeError

    trials = read_set(spec, data=data, skip_missing=True)
    bad = undecodable(trials)
    if as_json:
        click.echo(json.dumps([{"trial": trial, "reason": reason} for trial, reason in bad], indent=2))
    else:
        for trial, reason in bad:
            click.echo(f"{trial}: {reason}")
    click.echo(
        f"{len(trials.table)} files opened, {trials.skipped} missing, {len(bad)} undecodable", err=True
    )
    if bad:
        raise SharpscopeError(
            f"{len(bad)} files of {spec} cannot be decoded; repair or remove them from the list"
        )


def _verify(spec: str, data: str | None, sample: int, as_json: bool, quiet: bool) -> None:
    from sharpscope.corpora.verify import verify
    from sharpscope.errors import SharpscopeError
    from sharpscope.progress import progress

    with progress(0, "files", show=not quiet) as meter:
        done = verify(spec, data=data, sample=sample, meter=meter)
    if as_json:
        entry = done._asdict() | {"parts": [part._asdict() for part in done.parts], "sound": done.sound}
        entry["findings"] = [finding._asdict() for finding in done.findings]
        click.echo(json.dumps(entry, indent=2, ensure_ascii=False))
    else:
        for part in done.parts:
            found = "not there" if part.bonafide is None else f"{part.bonafide}/{part.spoof}"
            known = part.published
            wanted = (
                "" if known is None else f"{known[0]}/{known[1]}" if known[0] is not None else f"{known[2]}"
            )
            verdict = {None: "no published count", True: "whole", False: "differs"}[part.whole]
            verdict = "" if part.bonafide is None else verdict
            missing = f", {part.missing} missing" if part.missing else ""
            cells = (
                part.part or "all",
                found,
                f"published {wanted}" if wanted else "",
                verdict + missing,
                part.note,
            )
            click.echo("  ".join(cell for cell in cells if cell))
        shown: Counter[str] = Counter()
        for finding in done.findings:
            shown[finding.kind] += 1
            if shown[finding.kind] <= SHOWN:
                click.echo(f"{finding.kind}: {finding.trial} ({finding.path}): {finding.detail}")
        for kind, number in shown.items():
            if number > SHOWN:
                click.echo(f"{kind}: {number - SHOWN} more; --json names them all")
        for label, rates in done.rates.items():
            click.echo(f"{label}: {', '.join(f'{n} files of {rate} Hz' for rate, n in rates.items())}")
        for note in done.notes:
            click.echo(f"note: {note}")
    click.echo(f"{done.title}: {done.files} files compared, {done.decoded} decoded", err=True)
    if not done.sound:
        read = [part for part in done.parts if part.bonafide is not None]
        counts = {
            "parts not there": len(done.parts) - len(read),
            "parts other than published": sum(part.whole is False for part in read),
            "files missing": sum(part.missing or 0 for part in read),
            "files at fault": len(done.findings),
        }
        said = ", ".join(f"{what} {number}" for what, number in counts.items() if number)
        raise SharpscopeError(f"{done.key}: {said}" + (f"; get it at {done.source}" if done.source else ""))
