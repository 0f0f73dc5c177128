"""In which language a text is. Scripts and function words decide most; a model (py3langid) the rest.

The model takes over a second to load, so it is loaded at the first text that needs it, once per process.
"""

import re
from functools import lru_cache
from typing import Any

# Languages a feed of ours may plausibly be in; the full set of the model calls English headlines Pidgin and Latin.
LANGUAGES = (
    "en de fr es it pt nl sv da no fi pl cs sk hu ro bg el ru uk tr ar he fa hi bn th vi id ms zh ja ko".split()  # noqa: SIM905
)
# Below this the model is guessing; the feed's other articles or its declared language know better.
SURE = 0.5
_SAMPLE = 1_000
# Characters in which function words are counted, 60 to 90 words: more of them change no verdict.
_MARKED = 480

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    """the of and with for that by from after its was has says said will have are as than amid over into would could
    this their which who been were but not more new year shares profit rises falls""".split()  # noqa: SIM905
)
_FOREIGN = frozenset(
    """der die das und von den mit auf für ist nicht ein eine im dem des bei nach über aus zu gegen steigt fällt le la les des du et une dans pour sur est au aux
    el los las del y en que con por para una il lo gli di che per della nel e o os da do em um uma não het een van voor
    op och att som på är af til på og den det i w z na się nie""".split()  # noqa: SIM905
)
# The same for ASCII, where a table is quicker than a pattern: letters as they are in lower case, blanks for all else.
_ASCII_ENGLISH, _ASCII_FOREIGN = (
    frozenset(w.encode() for w in words if w.isascii()) for words in (_ENGLISH, _FOREIGN)
)
_ASCII_LETTERS = bytes(
    ord(chr(code).lower()) if code < 128 and chr(code).isalpha() else 32 for code in range(256)
)
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_HANGUL = re.compile("[\uac00-\ud7af]")


def detect_language(text: str, assumed: str | None = None) -> tuple[str | None, float]:
    """(ISO 639-1 code or None, confidence in [0, 1]). `assumed` is what the feed declares, used where text is unsure."""
    sample = text[:_SAMPLE]
    if not _WORD.search(sample):
        return (assumed, 0.0) if assumed else (None, 0.0)
    by_script = _by_script(sample)
    if by_script:
        return by_script, 1.0
    words, english, foreign = _markers(_head(text))
    if _are_english(words, english, foreign):
        return "en", 0.99
    if assumed and _fits(assumed, sample, foreign):
        return assumed, 0.8
    code, confidence = _model().classify(sample)
    if confidence < SURE and assumed:
        return assumed, round(confidence, 3)
    return (code, round(confidence, 3)) if confidence >= 0.2 else (None, round(confidence, 3))


def is_plain_english(text: str) -> bool:
    """Whether the text's function words alone say that it is English."""
    return _are_english(*_markers(_head(text)))


def base_code(tag: str | None) -> str | None:
    """`en` for `en-GB`, `EN_us`; None for anything that is no language tag."""
    match = re.match(r"^\s*([a-zA-Z]{2,3})(?:[-_][\w-]+)?\s*$", tag or "")
    return match[1].lower() if match else None


def _by_script(sample: str) -> str | None:
    if sample.isascii():
        return None
    letters = sum(map(str.isalpha, sample))
    han, kana, hangul = (len(pattern.findall(sample)) for pattern in (_HAN, _KANA, _HANGUL))
    if han + kana + hangul < 0.3 * letters:
        return None
    if hangul > han + kana:
        return "ko"
    return "ja" if kana > 0.1 * (han + kana) else "zh"


def _head(text: str) -> str:
    """The start of a text, ending with a whole word."""
    return text if len(text) <= _MARKED else text[:_MARKED].rpartition(" ")[0]


@lru_cache(maxsize=64)
def _markers(sample: str) -> tuple[int, int, int]:
    """Words, and among the first 60 different English and different foreign function words. Cached: a document's texts are asked about twice."""
    if sample.isascii():
        ascii_words = sample.encode().translate(_ASCII_LETTERS).split()
        found = frozenset(ascii_words[:60])
        return len(ascii_words), len(found & _ASCII_ENGLISH), len(found & _ASCII_FOREIGN)
    words = _WORD.findall(sample.lower())
    seen = frozenset(words[:60])
    return len(words), len(seen & _ENGLISH), len(seen & _FOREIGN)


def _are_english(words: int, english: int, foreign: int) -> bool:
    return english >= 2 and english * 8 >= min(words, 24) and foreign * 4 <= english


def _fits(assumed: str, sample: str, foreign: int) -> bool:
    """Whether nothing speaks against the language a feed declares, or its other articles are in."""
    return sample.isascii() and foreign == 0 if assumed == "en" else foreign > 0 or not sample.isascii()


@lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
