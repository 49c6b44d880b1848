"""The command group: what every command shares.

Nothing heavy is imported here, so ``sharpscope --help`` answers at once; each command imports what it
needs inside its body.
"""

from __future__ import annotations

import sys

import click

import sharpscope
from sharpscope.errors import SharpscopeError

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _Group(click.Group):
    """Turns every error that a user can cause into one line on standard error and an exit status."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        # click keeps the lines behind a backspace character as they are; a raw docstring holds two characters for it.
        cmd.help = (cmd.help or "").replace("\\b\n", "\b\n")
        super().add_command(cmd, name)

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except SharpscopeError as error:
            click.echo(f"sharpscope: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo(
                "sharpscope: interrupted; what was finished is kept, the same command goes on from there",
                err=True,
            )
            context.exit(130)
        except BrokenPipeError:
            sys.stderr.close()
            context.exit(1)


@click.group(cls=_Group, context_settings=CONTEXT_SETTINGS)
@click.version_option(sharpscope.__version__, prog_name="sharpscope")
def main() -> None:
    """Does the sharpness of a deepfake detector's loss tell how it does on speech it never heard?"""
