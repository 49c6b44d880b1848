"""The command group: what every command shares.

Nothing heavy is imported here, so ``sharpscope --help`` answers at once; each command imports what it
needs inside its body.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click

import sharpscope
from sharpscope.errors import SharpscopeError

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _OneLine(click.UsageError):
    """A mistake that click found, shown as this program shows its own: one line, and what to do next."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(error.format_message(), error.ctx)

    def show(self, file: Any = None) -> None:
        path = self.ctx.command_path if self.ctx else "sharpscope"
        words = " ".join(self.message.split()).rstrip(".")
        click.echo(f"sharpscope: {words[:1].lower()}{words[1:]}; see `{path} --help`", file=file, err=True)


class _Group(click.Group):
    """Turns every error that a user can cause into one line on standard error and an exit status."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                raise
            raise _OneLine(error) from error

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        # click keeps the lines behind a backspace character as they are; a raw docstring holds two characters for it.
        cmd.help = (cmd.help or "").replace("\\b\n", "\b\n")
        super().add_command(cmd, name)

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except click.UsageError as error:
            raise _OneLine(error) from error
        except SharpscopeError as error:
            if context.params.get("debug"):
                traceback.print_exc()
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
@click.option("--debug", is_flag=True, help="Show the traceback of an error that ends a command.")
def main(debug: bool) -> None:
    """Does the sharpness of a deepfake detector's loss tell how it does on speech it never heard?"""
