"""`sharpscope sets`: which corpora are known and which are on disk."""

from __future__ import annotations

import json

import click

from sharpscope.cli.group import main


@main.command()
@click.option("--data", type=click.Path(), envvar="SHARPSCOPE_DATA", help="Folder that holds the corpora.")
@click.option("--check", metavar="SET", help="Open every file of one set, named as for measure --sets.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, with licence and address of each.")
@click.option("--quiet", is_flag=True, help="No progress.")
def sets(data: str | None, check: str | None, as_json: bool, quiet: bool) -> None:
    r"""List every known corpus: where it was found, its trials against the published ones, missing audio.

    \b
    sharpscope sets --data /corpora
    sharpscope sets --data /corpora --check for@norm/testing
    """
    from sharpscope.corpora.survey import survey

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
