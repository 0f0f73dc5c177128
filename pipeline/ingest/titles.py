"""Titles as they are compared: folded, without the wire's prefixes and the outlet's suffix. Pure."""

import re
import unicodedata
from collections.abc import Mapping

# What desks put before a headline; it changes while the story stays.
_PREFIX = re.compile(
    r"^(?:(?:update|refile|rpt|wrapup|corrected|correction|clarification|amended|refiled?|breaking(?: news)?|just in|exclusive|"
    r"urgent|alert|flash|snap|developing|live(?: updates?)?|watch|video|photos?|analysis|factbox|timeline|explainer|brief|"
    r"eilmeldung|urgente?|快讯|突发|更正|重发)\s*(?:\d{1,2})?(?:\s*[-–—:|]\s*|\s*[:：]\s*|】\s*)|\[[^\]]{1,20}\]\s*|【[^】]{1,12}】\s*)+",
    re.IGNORECASE,
)  # fmt: skip
_SUFFIX = re.compile(r"\s+(?:[-–—|•»]\s*)(?P<outlet>[^-–—|•»]{2,40})$")
_CORRECTION = re.compile(
    r"\b(?:correct(?:ed|ion|s|ing)\b(?:\s*[-:(]|\s+(?:version|to|in|the|paragraph|headline))|clarification\b|retract(?:ed|ion|s)\b|amended\b)"
    r"|更正|勘误|berichtigung|rectificatif",
    re.IGNORECASE,
)
# Without one of these a text says no such thing; looking for words is quicker than trying a pattern at every place.
_CORRECTION_WORDS = (
    "correct",
    "clarif",
    "retract",
    "amended",
    "更正",
    "勘误",
    "berichtigung",
    "rectificatif",
)
_PREFIX_SIGNS = re.compile(r"[-–—:|：】\]]")
# Houses write them with dots or without.
COUNTRIES: Mapping[str, frozenset[str]] = {short: frozenset(short) for short in ("us", "uk", "eu", "un")}
_DOTTED = {short: f"{short[0]}.{short[1]}." for short in COUNTRIES}
_NOT_WORD = re.compile(r"[\W_]+")


def folded_title(title: str, outlets: tuple[str, ...] = ()) -> str:
    """`title` for comparison: prefixes, outlet suffix, case, accents and punctuation gone. `outlets`: names to strip."""
    text = (_PREFIX.sub("", title) if _PREFIX_SIGNS.search(title) else title).strip()
    suffix = _SUFFIX.search(text)
    if suffix and _is_outlet(suffix["outlet"], outlets) and suffix.start() > 0:
        text = text[: suffix.start()]
    text = fold(text)
    if "u." in text or "e." in text:
        for short, letters in _DOTTED.items():
            text = text.replace(letters, short)
    return _NOT_WORD.sub(" ", text).strip()


def fold(text: str) -> str:
    """Lower case without accents; Chinese, Japanese and Korean stay as they are."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))


def says_correction(title: str, text: str) -> bool:
    """Whether the words say that something published before was wrong (title, or the first 300 characters)."""
    folded = f"{title}\n{text[:300]}".lower()
    if not any(word in folded for word in _CORRECTION_WORDS):
        return False
    return bool(_CORRECTION.search(title) or _CORRECTION.search(text[:300]))


def _is_outlet(candidate: str, outlets: tuple[str, ...]) -> bool:
    words = candidate.strip().lower()
    if any(words == outlet.strip().lower() for outlet in outlets if outlet):
        return True
    return words in _OUTLETS or words.endswith((".com", ".co.uk", ".de", ".fr", ".cn", ".in"))


_OUTLETS = frozenset(
    """reuters|bloomberg|cnbc|the wall street journal|wsj|financial times|ft|barron's|barrons|marketwatch|yahoo finance|
    seeking alpha|investing.com|the guardian|bbc news|bbc|the new york times|nyt|forbes|fortune|business insider|
    the economist|ap news|associated press|afp|nikkei asia|south china morning post|the economic times|mint|moneycontrol|
    business standard|le monde|les echos|handelsblatt|faz|spiegel|el país|caixin global|xinhua|globe and mail|cnn business|
    cnn|fox business|the times|the telegraph|sky news|axios|politico|benzinga|zacks|motley fool|the motley fool|
    globenewswire|pr newswire|business wire|accesswire""".replace("\n    ", "").split("|")
)
