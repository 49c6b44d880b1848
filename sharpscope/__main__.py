"""Lets ``python -m sharpscope`` and ``torchrun -m sharpscope`` be the same program."""

from sharpscope.cli import main

if __name__ == "__main__":
    main(prog_name="sharpscope")
