"""Pickles written to hurt: none imports or runs anything, fills the memory or takes for ever."""

import importlib
import io
import pickle
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sharpscope.detectors.reading import read_checkpoint, unpickler
from sharpscope.errors import UsageError

STATE = {"conv.weight": torch.arange(12.0).view(2, 2, 3), "conv.bias": torch.ones(2)}
TRAP = """from pathlib import Path

MARK = Path(__file__).with_name("touched")
MARK.write_text("imported")


def touch(*arguments):
    MARK.write_text("called")


class Touch:
    def __new__(cls, *arguments, **names):
        touch()
        return object.__new__(cls)

    def __setstate__(self, state):
        touch()
"""


# A little assembler.
def word(name: str) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def tup(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def reduced(name: str, *arguments: bytes) -> bytes:
    return word(name) + tup(*arguments) + b"R"


def whole(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def storage(
    cls: bytes = word("torch FloatStorage"), key: bytes = text("0"), count: bytes = number(12)
) -> bytes:
    return tup(text("storage"), cls, key, text("cpu"), count) + b"Q"


def tensor(
    held: bytes = storage(),
    offset: int = 0,
    shape: tuple[int, ...] = (2, 6),
    strides: tuple[int, ...] = (6, 1),
) -> bytes:
    sizes = tup(*map(number, shape)) + tup(*map(number, strides))
    return word("torch._utils _rebuild_tensor_v2") + b"(" + held + number(offset) + sizes + b"\x89)tR"


def state_of(*values: bytes) -> bytes:
    return whole(b"}(", *(text(f"layer{i}.weight") + value for i, value in enumerate(values)), b"u")


def chain(start: bytes, step: bytes, count: int) -> bytes:
    return start + step * count


DOUBLING = b"\x88q\x000" + b"h\x00h\x00\x86q\x000" * 64 + b"h\x00"
DEEP_TUPLE = chain(b")", b"\x85", 60_000)
NUMPY = "numpy.core.multiarray"
BIG = text("x" * 1_000_000) + b"q\x000"
PAIRS = b"]q\x00(" + tup(text("a"), b"N") * 50_000 + b"e0"
LEGACY_BYTES = b"B" + struct.pack("<I", 3) + b"abc"


def arrays(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    made = reduced(f"{NUMPY} _reconstruct", word("numpy ndarray"), tup(number(0)), text("b"))
    return made + tup(number(1), shape, dtype, b"\x89", data) + b"b"


def dtype(code: str) -> bytes:
    return reduced("numpy dtype", text(code), b"\x89", b"\x88")


def module(inner: bytes) -> bytes:
    parts = text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + inner
    return word("hostile_trap Touch") + b")\x81}(" + parts + b"ub"


PICKLES: dict[str, bytes] = {
    "calls a function": whole(reduced("hostile_trap touch", text("x"))),
    "calls a function beside weights": state_of(tensor(), reduced("hostile_trap touch")),
    "calls the shell": whole(reduced("os system", text("touch touched"))),
    "calls the shell by another name": whole(reduced("posix system", text("touch touched"))),
    "evaluates": whole(reduced("builtins eval", text("__import__('hostile_trap')"))),
    "evaluates as Python 2": whole(reduced("__builtin__ eval", text("__import__('hostile_trap')"))),
    "gets an attribute and calls it": whole(
        reduced("builtins getattr", word("hostile_trap Touch"), text("touch")) + tup() + b"R"
    ),
    "imports a submodule": whole(word("hostile_trap.inner deep")),
    "a dotted name": whole(b"\x8c\x0chostile_trap\x8c\x0cTouch.__new__\x93)R"),
    "a name from the stack": whole(b"\x8c\x0chostile_trap\x8c\x05touch\x93)R"),
    "a name that is no text": whole(number(3), number(4), b"\x93"),
    "a name of bytes": whole(b"C\x02osC\x06system\x93"),
    "makes an object": whole(word("hostile_trap Touch"), b")\x81"),
    "makes an object with names": whole(word("hostile_trap Touch"), b")}\x92"),
    "an instance of protocol 0": whole(b"(ihostile_trap\nTouch\n"),
    "an object of protocol 1": whole(b"(", word("hostile_trap Touch"), b"o"),
    "sets a state": whole(word("hostile_trap Touch"), b")\x81", b"}(", text("a"), number(1), b"ub"),
    "sets a state with slots": whole(word("hostile_trap Touch"), b")\x81", tup(b"N", b"}"), b"b"),
    "sets the class of a dictionary": whole(
        b"}}(", text("__class__"), word("hostile_trap Touch"), b"ub"
    ),
    "sets the state of a tensor": state_of(tensor() + b"}(" + text("_backward_hooks") + b"}ub"),
    "sets the state of a list": whole(b"]}b"),
    "calls what it made": whole(word("hostile_trap Touch"), b")\x81)R)R)R"),
    "calls a tensor": state_of(tensor() + b")R"),
    "calls a number": whole(number(3), b")R"),
    "arguments that are no tuple": whole(word("torch._utils _rebuild_tensor_v2"), b"}R"),
    "extensions": whole(b"\x82\x01\x83\x01\x00\x84\x01\x00\x00\x00"),
    "a persistent identity of text": whole(b"Phostile_trap\n"),
    "a persistent identity that calls": whole(reduced("hostile_trap touch"), b"Q"),
    "persistent identities in one another": whole(chain(number(1), b"Q", 10_000)),
    "a storage whose class is called": state_of(tensor(storage(cls=reduced("hostile_trap touch")))),
    "a storage of an unknown class": state_of(tensor(storage(cls=word("hostile_trap FloatThing")))),
    "a storage of a foreign class with a known name": state_of(
        tensor(storage(cls=word("hostile_trap FloatStorage")), shape=(1,), strides=(1,))
    ),
    "a storage in another place": state_of(tensor(storage(key=text("../../../etc/passwd")))),
    "a storage at the root": state_of(tensor(storage(key=text("/etc/passwd")))),
    "a storage whose key is a list": state_of(tensor(storage(key=b"]"))),
    "a giant storage": state_of(tensor(storage(count=number(2**62)))),
    "a large storage that is not there": state_of(tensor(storage(count=number(2**33)), shape=(2**33,), strides=(1,))),
    "a storage of less than nothing": state_of(tensor(storage(count=number(-5)))),
    "a storage of True": state_of(tensor(storage(count=b"\x88"))),
    "a storage of text": state_of(tensor(storage(count=text("12")))),
    "a tensor beyond its storage": state_of(tensor(shape=(4, 6))),
    "a tensor before its storage": state_of(tensor(offset=-1)),
    "a tensor that walks backwards": state_of(tensor(strides=(6, -1))),
    "a tensor with giant strides": state_of(tensor(strides=(2**60, 1))),
    "a tensor that repeats itself": state_of(tensor(shape=(2**20, 2**20), strides=(0, 0))),
    "a tensor of four gigabytes on one number": state_of(tensor(shape=(2**30,), strides=(0,))),
    "a tensor of too many axes": state_of(tensor(shape=(1,) * 500, strides=(1,) * 500)),
    "more lengths than strides": state_of(tensor(shape=(2, 3, 2), strides=(6, 1))),
    "a tensor on a dictionary": state_of(tensor(held=b"}")),
    "a dtype that is a function": state_of(
        word("torch._utils _rebuild_tensor_v3") + tup(
            storage(), number(0), tup(number(12)), tup(number(1)), b"\x89", b"}", word("torch load")
        ) + b"R"
    ),
    "a subclass within a subclass": state_of(
        tensor(),
        word("torch._tensor _rebuild_from_type_v2")
        + tup(word("hostile_trap touch"), word("hostile_trap Touch"), tup(), b"}")
        + b"R"
    ),
    "a memo that is not there": whole(b"h\x05"),
    "a giant number of a memo": whole(b"\x88r\xff\xff\xff\xff"),
    "a list within itself": whole(b"]q\x00h\x00a"),
    "a dictionary within itself": whole(b"}q\x00", text("model"), b"h\x00s"),
    "an object within itself": whole(word("hostile_trap Touch"), b")\x81q\x00h\x00b"),
    "a key of 2^64 parts": whole(b"}", DOUBLING, b"Ns"),
    "a set of 2^64 parts": whole(b"(", DOUBLING, b"\x91"),
    "a key 60,000 deep": whole(b"}", DEEP_TUPLE, b"Ns"),
    "a value 60,000 deep": whole(DEEP_TUPLE),
    "lists 40,000 deep": whole(b"]" * 40_000, b"a" * 39_999),
    "dictionaries 40,000 deep": whole(chain(b"", b"}" + text("m"), 40_000), b"N", b"s" * 40_000),
    "objects 40,000 deep": whole(chain(b"", word("a B") + b")\x81", 40_000), b"b" * 39_999),
    "a list of 2^64 leaves": whole(DOUBLING),
    "weights in a list of 2^64 leaves": whole(DOUBLING.replace(b"\x88q\x00", b"}q\x00", 1)),
    "a key of a megabyte of digits": whole(b"}\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b"Ns"),
    "a key that is a list": whole(b"}]Ns"),
    "a number of a megabyte": whole(b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20)),
    "a number of a million digits": whole(b"I" + b"9" * 1_000_000 + b"\n"),
    "a number of negative length": whole(b"\x8b" + struct.pack("<i", -5)),
    "text of 2^63 letters": whole(b"\x8d" + struct.pack("<Q", 2**63 - 1) + b"a"),
    "bytes of a terabyte": whole(b"\x8e" + struct.pack("<Q", 2**40) + b"a"),
    "a frame of an exabyte": whole(b"\x95" + struct.pack("<Q", 2**60)),
    "text that is not UTF-8": whole(b"X\x02\x00\x00\x00\xff\xfe"),
    "marks without end": whole(b"(" * 140_000),
    "more instructions than any checkpoint": whole(b"]0" * 100_000),
    "nothing to take": whole(b"0"),
    "a mark that is not there": whole(b"1"),
    "a tuple of nothing": whole(b"\x87"),
    "half an item": whole(b"}(N", b"u"),
    "items for a number": whole(number(1), b"(NNu"),
    "entries for a number": whole(number(1), b"(NNe"),
    "buffers that are elsewhere": whole(b"\x97\x98"),
    "no end": b"\x80\x02}(",
    "an instruction that there is not": b"\x80\x02\xff.",
    "one text to a hundred thousand calls": whole(
        BIG, b"(", (word("_codecs encode") + tup(b"h\x00", text("latin1")) + b"R") * 20_000, b"l"
    ),
    "one list to ten thousand calls": whole(
        PAIRS, b"(", (word("collections OrderedDict") + b"h\x00\x85R") * 10_000, b"l"
    ),
    "one array of a megabyte, turned round a thousand times": whole(
        BIG, b"(", arrays(dtype(">f4"), tup(number(250_000)), b"h\x00") * 2_000, b"l"
    ),
    "an array of objects": whole(
        b"}", text("a"), arrays(dtype("O8"), tup(number(1)), b"]" + reduced("hostile_trap touch") + b"a"), b"s"
    ),
    "an array of another size": whole(b"}", text("a"), arrays(dtype("f4"), tup(number(2**40)), text("abcd")), b"s"),
    "an array of a class of theirs": whole(
        reduced(f"{NUMPY} _reconstruct", word("hostile_trap Touch"), tup(number(0)), text("b"))
    ),
    "a dtype of a gigabyte": whole(b"}", text("a"), arrays(dtype("S999999"), tup(number(2**30)), text("a")), b"s"),
    "a number that is an object": whole(reduced(f"{NUMPY} scalar", dtype("O8"), reduced("hostile_trap touch"))),
    "bytes that are no storage": state_of(tensor(reduced("torch.storage _load_from_bytes", LEGACY_BYTES))),
    "a storage that is no bytes": state_of(tensor(reduced("torch.storage _load_from_bytes", text("a")))),
    "modules within themselves": whole(
        word("hostile_trap Touch"), b")\x81q\x00}(", text("_parameters"), b"}", text("_buffers"), b"}",
        text("_modules"), b"}", text("again"), b"h\x00sub",
    ),
    "2^40 modules": whole(
        module(b"}") + b"q\x000",
        (module(b"}(" + text("a") + b"h\x00" + text("b") + b"h\x00u") + b"q\x000") * 40,
        b"h\x00",
    ),
    "modules with names of a megabyte": whole(
        module(b"}") + b"q\x000", BIG.replace(b"q\x00", b"q\x01"),
        (module(b"}h\x01h\x00s") + b"q\x000") * 40, b"h\x00",
    ),
    "modules that are no dictionary": whole(
        word("hostile_trap Touch"), b")\x81}(", text("_parameters"), b"N", text("_buffers"), b"]",
        text("_modules"), number(3), b"ub",
    ),
}  # fmt: skip

EVENTS: list[str] = []
WATCHED = {
    "import",
    "exec",
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "pickle.find_class",
    "socket.connect",
}
LISTENING = [False]


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if LISTENING[0] and event in WATCHED:
        EVENTS.append(f"{event} {arguments[:1]!r:.80}")


sys.addaudithook(_listen)


def archive(skeleton: bytes) -> bytes:
    """A file of torch.save with another skeleton and one storage."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a/data.pkl", skeleton)
        file.writestr("a/version", "3\n")
        file.writestr("a/byteorder", "little")
        file.writestr("a/data/0", struct.pack("<12f", *range(12)))
    return stream.getvalue()


def legacy(skeleton: bytes, keys: Any = ("0",), tail: bytes | None = None) -> bytes:
    """The older format with another skeleton and one storage."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    data = b"".join(pickle.dumps(value, protocol=2) for value in head) + skeleton
    numbers = struct.pack("<q12f", 12, *range(12)) if tail is None else tail
    return data + pickle.dumps(list(keys) if isinstance(keys, tuple) else keys, protocol=2) + numbers


@pytest.fixture(autouse=True)
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that leaves a mark when it is imported or run; no test may find the mark."""
    (tmp_path / "hostile_trap.py").write_text(TRAP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.save(STATE, tmp_path / "good.pt")
    "".encode("cp437")
    monkeypatch.setattr(unpickler, "MAXIMUM_STEPS", 170_000)  # a tenth, so that tests are quick under watch
    read_checkpoint(tmp_path / "good.pt")  # whatever is imported late is imported now
    EVENTS.clear()
    yield tmp_path / "touched"
    sys.modules.pop("hostile_trap", None)


def read_safely(path: Path) -> str:
    """Read a file under watch; return the one line that refuses it, "" when it opens."""
    tracemalloc.start()
    begun = time.process_time()
    LISTENING[0] = True
    message = ""
    try:
        state = read_checkpoint(path).state
        assert all(type(tensor) is torch.Tensor for tensor in state.values())
    except UsageError as error:
        message = str(error)
    finally:
        LISTENING[0] = False
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert EVENTS == []
    assert not path.with_name("touched").exists()
    assert "hostile_trap" not in sys.modules
    assert time.process_time() - begun < 30
    assert peak < 700 * 1024**2
    assert "\n" not in message
    assert len(message) < 1200
    return message


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles_import_nothing_and_run_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.pt").write_bytes(archive(PICKLES[name]))
    opens = {
        "calls a function beside weights",
        "sets the state of a tensor",
        "a storage of a foreign class with a known name",
        "a subclass within a subclass",
    }
    assert (read_safely(tmp_path / "c.pt") == "") == (name in opens)


@pytest.mark.parametrize("name", list(PICKLES)[::3])
def test_the_same_in_the_older_format_and_bare(name: str, tmp_path: Path) -> None:
    for make in (legacy, bytes):
        (tmp_path / "c.pth").write_bytes(make(PICKLES[name]))
        read_safely(tmp_path / "c.pth")


def test_there_are_more_than_sixty() -> None:
    assert len(PICKLES) > 60


def test_plain_pickle_would_fall_into_the_trap(trap: Path) -> None:
    """What the corpus proves is worth something only if plain pickle does import and call."""
    pickle.loads(PICKLES["calls a function"])
    assert trap.read_text() == "called"
    importlib.invalidate_caches()


def test_the_assembler_writes_what_torch_reads(tmp_path: Path) -> None:
    (tmp_path / "c.pt").write_bytes(archive(state_of(tensor())))
    expected = torch.arange(12.0).view(2, 6)
    assert torch.equal(torch.load(tmp_path / "c.pt")["layer0.weight"], expected)
    assert torch.equal(read_checkpoint(tmp_path / "c.pt").state["layer0.weight"], expected)
    (tmp_path / "c.pt").write_bytes(legacy(state_of(tensor())))
    assert torch.equal(read_checkpoint(tmp_path / "c.pt").state["layer0.weight"], expected)


TAILS = {
    "a storage of 2^62 numbers": (("0",), struct.pack("<q", 2**62)),
    "a storage of less than nothing": (("0",), struct.pack("<q", -1)),
    "no storage": (("0",), b""),
    "half a storage": (("0",), struct.pack("<q4f", 12, *range(4))),
    "a storage that nobody has": (("1",), None),
    "keys that are numbers of another kind": ([1.5], None),
    "keys that are a dictionary": ({"0": 1}, None),
    "no keys": ((), None),
}


@pytest.mark.parametrize("name", TAILS)
def test_the_older_format_with_a_hostile_end(name: str, tmp_path: Path) -> None:
    keys, tail = TAILS[name]
    (tmp_path / "c.pth").write_bytes(legacy(state_of(tensor()), keys, tail))
    assert "c.pth" in read_safely(tmp_path / "c.pth")


def test_tied_weights_stay_tied_and_every_dtype_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    dtypes = (
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int8,
        torch.bool,
        torch.complex64,
    )
    state = {
        "a.weight": base,
        "b.weight": base,
        "c.weight": base.T,
        "d.weight": base[1:, ::2],
        "e": torch.tensor([3]),
    }
    state |= {f"{dtype}": base.to(dtype) for dtype in dtypes}
    state |= {
        "f8": base.to(torch.float8_e4m3fn),
        "u16": torch.ones(4, dtype=torch.uint16),
        "none": torch.empty(0, 3),
    }
    state |= {"parameter": torch.nn.Parameter(base.clone())}
    for new in (True, False):
        torch.save(state, tmp_path / "c.pt", _use_new_zipfile_serialization=new)
        read = read_checkpoint(tmp_path / "c.pt").state
        assert list(read) == list(state)
        for name, tensor in state.items():
            assert read[name].dtype == tensor.dtype
            assert read[name].stride() == tensor.stride()
            same_bits = (read[name].contiguous(), tensor.detach().contiguous())
            assert torch.equal(
                *(value.view(torch.uint8) if value.numel() else value for value in same_bits)
            ) or (tensor.dtype == torch.bool)
        assert read["a.weight"].data_ptr() == read["b.weight"].data_ptr()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_every_protocol_give_their_weights(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "c.pkl").write_bytes(pickle.dumps({"model": STATE, "epoch": 3}, protocol=protocol))
    read = read_checkpoint(tmp_path / "c.pkl").state
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[name], STATE[name]) for name in STATE)
