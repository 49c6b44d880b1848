"""Corpora at their published sizes, as the audits describe their trees; every name is made up.

Sizes are put together from what is known of their parts (speakers, systems, codecs, copies) and not taken from
the registry, whose counts they are to be held against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, cycle, islice

from benchmarks.full_size_tree import Tree

Counts = dict[str, tuple[int, int]]
Layout = tuple[Callable[[Tree], None], Counts]


def labelled(bonafide: int, spoof: int, attacks: Iterable[str] = ("A01",)) -> Iterator[tuple[int, str]]:
    """Yield numbers with "" for bona fide and an attack for spoof, mixed as lists are, always the same."""
    systems = cycle(attacks)
    real = 0
    for number in range(bonafide + spoof):
        # As many as belong before this line, so that the classes stand mixed and their sum is exact.
        if (number + 1) * bonafide // (bonafide + spoof) > real:
            real += 1
            yield number, ""
        else:
            yield number, next(systems)


def word(attack: str, real: str = "bonafide", fake: str = "spoof") -> str:
    return fake if attack else real


def _2019(at: Tree) -> None:
    early, late = [f"A{i:02}" for i in range(1, 7)], [f"A{i:02}" for i in range(7, 20)]
    # The folders of dev and eval hold files that are in no list.
    parts = (("train", "trn", "T", 2580, 3800, early, 25_380), ("dev", "trl", "D", 2548, 3716, early, 24_986),
             ("eval", "trl", "E", 7355, 4914, late, 71_933))  # fmt: skip
    for part, kind, letter, real, each, systems, on_disk in parts:
        rows = (f"LA_{i % 67:04} LA_{letter}_{1_000_000 + i} - {a or '-'} {word(a)}"
                for i, a in labelled(real, each * len(systems), systems))  # fmt: skip
        at.text(f"LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{part}.{kind}.txt", rows)
        names = (f"LA_{letter}_{1_000_000 + i}.flac" for i in range(on_disk))
        at.audio(f"LA/ASVspoof2019_LA_{part}/flac", names)


def _partialspoof(at: Tree) -> None:
    for part, real, fake in (("train", 2580, 22_800), ("dev", 2548, 22_296), ("eval", 7355, 63_882)):
        names = [
            (f"{'CON' if a else 'LA'}_{part[0].upper()}_{i:07}", a) for i, a in labelled(real, fake, ("CON",))
        ]
        rows = (f"LA_0039 {name} - {a or '-'} {word(a)}" for name, a in names)
        at.text(f"database/protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm.{part}.trl.txt", rows)
        at.audio(f"database/{part}/con_wav", (f"{name}.wav" for name, _ in names))


def _2021(at: Tree, track: str, phases: dict[str, tuple[int, int]], folders: int, row: str) -> None:
    def rows() -> Iterator[str]:
        number = 0
        for phase, (real, fake) in phases.items():
            for _, a in labelled(real, fake, [f"A{i:02}" for i in range(7, 20)]):
                yield row.format(number=1_000_000 + number, attack=a or "-", word=word(a), phase=phase)
                number += 1

    at.text(f"keys/{track}/CM/trial_metadata.txt", rows())
    at.text(
        f"keys/{track}/ASV/trial_metadata.txt", [f"LA_0009 {track}_E_1 x y bonafide nontarget notrim eval"]
    )
    total = sum(map(sum, phases.values()))
    for part in range(folders):
        folder = f"ASVspoof2021_{track}_eval"
        folder = f"{folder}_part{part:02}/{folder}" if folders > 1 else folder
        at.audio(f"{folder}/flac", (f"{track}_E_{1_000_000 + i}.flac" for i in range(part, total, folders)))


LA_PHASES = {"progress": (1676, 14_788), "eval": (14_816, 133_360), "hidden": (1960, 14_966)}
DF_PHASES = {"progress": (5768, 53_557), "eval": (7939 + 3780 + 3150, 519_059), "hidden": (1980, 16_596)}
PA_PHASES = {"progress": (14_472, 72_576), "eval": (94_068, 627_264), "hidden": (10, 20)}


def _21la(at: Tree) -> None:
    _2021(at, "LA", LA_PHASES, 1, "LA_0009 LA_E_{number} alaw ita_tx {attack} {word} notrim {phase}")


def _21df(at: Tree) -> None:
    row = "LA_0023 DF_E_{number} low_m4a vcc2020 {attack} {word} notrim {phase} unknown Task1 team20 FF E"
    _2021(at, "DF", DF_PHASES, 4, row)


def _21pa(at: Tree) -> None:
    _2021(at, "PA", PA_PHASES, 7, "PA_0010 PA_E_{number} R3 M3 d4 r1 m1 s4 c4 {word} notrim {phase}")


def _asvspoof5(at: Tree) -> None:
    parts = (("train", "T", 18_797, 163_560, 1), ("dev.track_1", "D", 31_334, 109_616, 9),
             ("eval.track_1", "E", 138_688, 542_086, 17))  # fmt: skip
    for part, letter, real, fake, first in parts:
        systems = [f"A{i:02}" for i in range(first, first + (16 if letter == "E" else 8))]
        rows = (f"{letter}_{i % 700:04} {letter}_{i:010} F {'C05 3 E_1' if letter == 'E' and i % 4 else '- - -'} - "
                f"{a or 'bonafide'} {word(a)} -" for i, a in labelled(real, fake, systems))  # fmt: skip
        at.text(f"ASVspoof5.{part}.tsv", rows)
        # Recordings for enrolment lie beside them.
        names = (f"{letter}_{i:010}.flac" for i in range(real + fake + 1000))
        at.audio("flac_E_eval" if letter == "E" else f"flac_{letter}", names)


def _itw(at: Tree) -> None:
    names = [f"Speaker {i}" for i in range(53)] + ['"Obama, Barack"']
    rows = (f"{i}.wav,{names[i % 54]},{word(a, 'bona-fide')}" for i, a in labelled(19_963, 11_816))
    at.text("release_in_the_wild/meta.csv", chain(["file,speaker,label"], rows))
    at.audio("release_in_the_wild", (f"{i}.wav" for i in range(31_779)))


def _add(at: Tree) -> None:
    def lists(path: str, folder: str, name: str, real: int, fake: int, attacks: bool = False) -> None:
        rows = (f"{name.format(i)}.wav {word(a, 'genuine', 'fake')}{f' {int(bool(a)) * 3}' if attacks else ''}"
                for i, a in labelled(real, fake))  # fmt: skip
        at.text(path, rows)
        at.audio(folder, (f"{name.format(i)}.wav" for i in range(real + fake)))

    base = "ADD2022track3.2_eval_R2"
    lists(f"{base}/track3_R2_label.txt", f"{base}/wav", "ADD_E3_{:08}", 20_776, 106_085, True)
    lists("track1_label.txt", "track1test", "ADD_E1_{:08}", 31_334, 77_865)
    lists("ADD_train_dev/label/train_label.txt", "ADD_train_dev/train", "ADD_T_{:08}", 3012, 24_072)
    lists("ADD_train_dev/label/dev_label.txt", "ADD_train_dev/dev", "ADD_D_{:08}", 2307, 26_017)
    for part, real, fake in (("R1", 80_000, 31_976), ("R2", 87_500, 30_977)):
        folder = f"Track1.2/test{part}"
        lists(f"{folder}/label.txt", f"{folder}/wav", f"ADD2023_T1.2{part}_E_{{:08}}", real, fake)


def _spoofceleb(at: Tree) -> None:
    parts = (("train", 230_948, 2_309_473, 1, 10), ("development", 7963, 47_778, 6, 15),
             ("evaluation", 9113, 82_017, 15, 24))  # fmt: skip
    for part, real, fake, first, last in parts:
        systems = [f"a{i:02}" for i in range(first, last)]
        # A thousandth of the speakers' folders: what is counted is the files.
        files = [
            (a or "a00", f"id{i % 13:05}", f"v{i:08}-00001.flac") for i, a in labelled(real, fake, systems)
        ]
        rows = (f"{a}/{speaker}/{name},{speaker},{a}" for a, speaker, name in files)
        at.text(f"spoofceleb/metadata/{part}.csv", chain(["file,speaker,attack"], rows))
        folders: dict[str, list[str]] = {}
        for a, speaker, name in files:
            folders.setdefault(f"{a}/{speaker}", []).append(name)
        for folder, names in folders.items():
            at.audio(f"spoofceleb/flac/{part}/{folder}", names)


def _codecfake(at: Tree) -> None:
    def lists(part: str, folder: str, real: int, codecs: dict[str, int]) -> None:
        # The same real files stand in C1 to C7.
        stems = [f"{'TR' if part == 'train' else 'SSB'}{i:08}" for i in range(real)]
        fakes = [f"{code}_{stem}{n or ''}" for code, each in codecs.items()
                 for n, stem in islice(((n, s) for n in range(12) for s in stems), each)]  # fmt: skip
        rows = chain((f"{s}.wav real 0" for s in stems), (f"{f}.wav fake {int(f[1:3])} " for f in fakes))
        at.text(f"Codecfake/label/{part}.txt", rows)
        at.audio(f"Codecfake/{folder}", (f"{name}.wav" for name in (*stems, *fakes)))

    lists("train", "train", 105_821, {f"F{i:02}": 105_821 for i in range(1, 7)})
    lists("dev", "dev", 13_228, {f"F{i:02}": 13_228 for i in range(1, 7)})
    for i in range(1, 7):
        lists(f"C{i}", f"test/C{i}", 13_228, {f"F{i:02}": 13_228})
    lists("C7", "C7", 13_228, {"F07": 132_277})
    lists("A1", "test/A1", 887, {"F08": 8000})
    lists("A2", "test/A2", 887, {"F09": 8000})
    lists("A3", "test/A3_fake", 49_274, {"F10": 49_838})


def _decro(at: Tree) -> None:
    base = "petrichorwq-DECRO-dataset-6fc9884"
    parts = {"en_train": (5128, 17_413), "en_dev": (3049, 10_503), "en_eval": (4306, 14_884),
             "ch_train": (9000, 17_603), "ch_dev": (6109, 12_015), "ch_eval": (6109, 12_262)}  # fmt: skip
    for part, (real, fake) in parts.items():
        rows = (f"unknown {i:08} - {a or 'aidatatang'} {word(a)}{' ' if i % 3 else ''}"
                for i, a in labelled(real, fake, ("baidu", "xunfei")))  # fmt: skip
        at.text(f"{base}/{part}.txt", rows)
        at.audio(f"{base}/{part}", (f"{i:08}.wav" for i in range(real + fake)))


def _sonics(at: Tree) -> None:
    header = "id,filepath,filename,lyrics,label"
    for part, real, fake in (("train", 39_000, 39_500), ("valid", 4000, 4574), ("test", 5090, 5000)):
        kinds = ("full fake", "half fake", "mostly fake")
        rows = (f'{part}{i},{word(a, "real", "fake")}_songs/{part}{i}.mp3,{part}{i},"one, ""two""\nthree",{a or "real"}'
                for i, a in labelled(real, fake, kinds))  # fmt: skip
        at.text(f"{part}.csv", chain([header], rows))
        for label in ("real", "fake"):
            at.audio(f"{label}_songs", (f"{part}{i}.mp3" for i, a in labelled(real, fake)
                                        if word(a, "real", "fake") == label))  # fmt: skip
    at.text("fake_songs.csv", [header])


def _ctrsvdd(at: Tree) -> None:
    for part, real, fake in (("train", 12_169, 72_235), ("dev", 6547, 37_078), ("test", 13_596, 79_173)):
        systems = [f"A{i:02}" for i in (range(9, 15) if part == "test" else range(1, 9))]
        names = [
            (f"CtrSVDD_{i % 164:04}_{part[0].upper()}_{i:07}", a) for i, a in labelled(real, fake, systems)
        ]
        at.text(
            f"{part}.txt",
            (f"m4singer {n[:12]} {n} - {a or '-'} {word(a, fake='deepfake')}" for n, a in names),
        )
        at.audio(f"{part}_set", (f"{n}.flac" for n, _ in names))


def _laundered(at: Tree) -> None:
    kinds = {"Noise": 15, "Reverberation": 3, "Recompression": 6, "Resampling": 4, "Filter": 1}
    systems = [f"A{i:02}" for i in range(7, 20)]
    for kind, number in kinds.items():
        rows = (f"LA_{i % 67:04} LA_E_{i:07}_{kind}_{n} {a or '-'} {word(a)} {kind} {n}"
                for n in range(number) for i, a in labelled(7355, 13 * 4914, systems))  # fmt: skip
        at.text(f"protocols/ASVspoofLauneredDatabase_{kind}.txt", rows)
        at.audio("flac", (f"LA_E_{i:07}_{kind}_{n}.flac" for n in range(number) for i in range(71_237)))


def _famous(at: Tree) -> None:
    base = "/home/them/data/FamousFigures/"
    files = [(f"P{i % 10}", a or "-", f"{i}.wav") for i, a in labelled(50_265, 297_870, ("Eleven", "xtts"))]
    rows = (f"{p}\t{s}\t{'bonafide' if s == '-' else 'spoof'}\t{base}{p}/{s}/{n}" for p, s, n in files)
    at.text("ff/protocol.txt", chain(["Speaker\tSource\tLabel\tAudioPath"], rows), end="\r\n")
    for p in range(10):
        for source in ("-", "Eleven", "xtts"):
            names = (n for who, s, n in files if (who, s) == (f"P{p}", source))
            at.audio(f"ff/P{p}/{'Bonafide' if source == '-' else source}", names)


LISTS: dict[str, Layout] = {
    "2019 LA": (_2019, {"19la@train": (2580, 22_800), "19la@dev": (2548, 22_296), "19la@eval": (7355, 63_882)}),
    "PartialSpoof": (_partialspoof, {"partialspoof@train+dev+eval": (12_483, 108_978)}),
    "2021 LA": (_21la, {"21la@all": (18_452, 163_114), **{f"21la@{p}": n for p, n in LA_PHASES.items()}}),
    "2021 DF": (_21df, {"21df@all": (22_617, 589_212), **{f"21df@{p}": n for p, n in DF_PHASES.items()}}),
    "2021 PA": (_21pa, {"21pa@progress": (14_472, 72_576), "21pa@eval": (94_068, 627_264)}),
    "ASVspoof 5": (_asvspoof5, {"asv5@train": (18_797, 163_560), "asv5@dev": (31_334, 109_616),
                                "asv5@eval": (138_688, 542_086)}),
    "In-the-Wild": (_itw, {"itw": (19_963, 11_816)}),
    "ADD 2022, 2023": (_add, {"add": (20_776, 106_085), "add2022_track1": (31_334, 77_865),
                              "add2022_track1@train": (3012, 24_072), "add2022_track1@dev": (2307, 26_017),
                              "add2023_r1": (80_000, 31_976), "add2023_r2": (87_500, 30_977)}),
    "SpoofCeleb": (_spoofceleb, {"SC": (9113, 82_017), "SCD": (7963, 47_778),
                                 "spoofceleb@train": (230_948, 2_309_473)}),
    "Codecfake": (_codecfake, {"codecfake_xie@train": (105_821, 634_926), "codecfake_xie@dev": (13_228, 79_368),
                               **{f"codecfake_c{i}": (13_228, 13_228) for i in range(1, 7)},
                               "codecfake_c7": (13_228, 132_277), "codecfake_xie": (13_228, 6 * 13_228 + 132_277),
                               "codecfake_a1": (887, 8000), "codecfake_a2": (887, 8000),
                               "codecfake_a3": (49_274, 49_838)}),
    "DECRO": (_decro, {"decro@ch_train+ch_dev+ch_eval": (21_218, 41_880),
                       "decro@en_train+en_dev+en_eval": (12_483, 42_800)}),
    "SONICS": (_sonics, {"sonics@train+valid+test": (48_090, 49_074)}),
    "CtrSVDD": (_ctrsvdd, {"ctrsvdd@train": (12_169, 72_235), "ctrsvdd@dev": (6547, 37_078),
                           "ctrsvdd": (13_596, 79_173)}),
    "ASVspoof LD": (_laundered, {"asvspoof_ld": (213_295, 1_852_578)}),
    "Famous Figures": (_famous, {"famous_figures": (50_265, 297_870)}),
}  # fmt: skip
