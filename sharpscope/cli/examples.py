"""`sharpscope examples` and `sharpscope example-corpus`."""

from __future__ import annotations

import click

from sharpscope.cli.completion import complete_examples
from sharpscope.cli.group import main


@main.command()
@click.argument("name", required=False, shell_complete=complete_examples)
@click.argument("folder", required=False, type=click.Path(file_okay=False))
def examples(name: str | None, folder: str | None) -> None:
    r"""List the examples that come with the package, or copy the one of NAME into FOLDER.

    \b
    sharpscope examples
    sharpscope examples bring_your_detector mine
    """
    from sharpscope.demo.examples import copy_example
    from sharpscope.demo.examples import examples as known

    if name is None:
        names = known()
        for each, what in names.items():
            click.echo(f"{each:<{max(map(len, names))}}  {what}")
        click.echo("next: sharpscope examples NAME copies one into a folder of its name", err=True)
        return
    for path in copy_example(name, folder):
        click.echo(path)


@main.command("example-corpus")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--speech", type=click.Path(), help="Folder of recordings.  [default: fetched from Debian]")
@click.option("--seed", default=0, show_default=True, help="Of the segments and the sets.")
@click.option("--quiet", is_flag=True, help="No progress.")
def example_corpus(folder: str, speech: str | None, seed: int, quiet: bool) -> None:
    r"""Make a small corpus of human and vocoded speech in FOLDER: training, in-domain and shifted sets.

    It is the corpus of `sharpscope demo`: lists in the form that --sets takes, with attack, speaker, language and codec
    of every trial. Its vocoders need the extra `demo` (pip install 'sharpscope[demo]').

    \b
    sharpscope example-corpus corpus
    sharpscope example-corpus corpus --speech ~/recordings
    """
    from sharpscope.demo.run import example_corpus as make

    def say(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    made = make(folder, speech, seed=seed, show_progress=not quiet, say=say)
    for path in made.values():
        click.echo(path)
    under_test = [name for name in made if name not in ("train", "dev")][:2]
    sets = ",".join(f"{name}={made[name]}" for name in under_test)
    click.echo(f"next: sharpscope measure CHECKPOINT --sets {sets}", err=True)
