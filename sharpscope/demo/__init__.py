"""The whole pipeline on any folder of recordings: a small shifted benchmark, detectors, measures, an answer."""
