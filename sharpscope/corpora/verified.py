"""How far the reader of each corpus was held against something real; the audio of none was at hand."""

from __future__ import annotations

_WHOLE = "real lists, whole: equal row by row"
_IDS = "every id and label of real lists, laid out anew"
_LINES = "a few real lines: columns, header and separators"
_NAMES = "real file names: counts and labels"
_NOTHING = "public descriptions and other readers only; no real list was at hand"

VERIFIED = {
    **dict.fromkeys(("asvspoof2019_la", "decro"), _WHOLE),
    **dict.fromkeys(("librisevoc", "ljspeech"), "real lists, whole: counts equal"),
    **dict.fromkeys(
        ("itw", "asvspoof2021_la", "add2022_t32r2", "add2022_track1", "add2023_t12", "codecfake_xie"), _IDS
    ),
    "mlaad": "57,000 rows of a real protocol of version 5, 153 folders and 82 models",
    "habla": "real metadata of the bona fide part: 22,816 rows, 162 speakers",
    **dict.fromkeys(("dfadd", "fake_or_real", "sonar"), _NAMES),
    **dict.fromkeys(
        (
            *(
                "asvspoof5",
                "asvspoof2021_df",
                "spoofceleb",
                "partialspoof",
                "cfad",
                "replaydf",
                "codecfake_wu",
            ),
            *("deepfake_eval_2024", "diffssd", "odss", "timit_tts", "cvoicefake", "sonics"),
        ),
        _LINES,
    ),
    "wavefake": "a real tree's folders and counts, the inner copies among them",
}


def verified(key: str) -> str:
    """Return what the reader of a corpus was held against.

    Args:
        key: Of the corpus.

    Returns:
        A phrase.

    Example:
        >>> verified("decro")
        'real lists, whole: equal row by row'
    """
    return VERIFIED.get(key, _NOTHING)
