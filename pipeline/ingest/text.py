"""Text from strangers: any string in, plain text that Postgres and a terminal accept out. Pure.

Order matters: a field is cut before any HTML work (parsers of tag soup are quadratic on hostile input),
markup is removed from visible nodes only (hidden text is how a page talks to a model behind a reader's back),
and characters are cleaned last, because entities may spell what the raw text did not contain.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree
from lxml import html as lxml_html

# Characters. Generous for news (a long Reuters story is 8,000), small enough that hostile input stays cheap.
TITLE_LIMIT = 1_000
SUMMARY_LIMIT = 64 * 1024
CONTENT_LIMIT = 256 * 1024
AUTHOR_LIMIT = 256
# Raw markup may be larger than the text it holds; beyond this factor it is cut before parsing.
MARKUP_FACTOR = 2

_SKIPPED = frozenset(
    (
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "title",
        "iframe",
        "object",
        "embed",
        "svg",
        "math",
        "select",
    )
)
_BLOCKS = frozenset(
    """address article aside blockquote br dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header
    hr li main nav ol p pre section table tbody td tfoot th thead tr ul""".split()  # noqa: SIM905 - a word list
)
_NESTING = frozenset({"div", "span", "ul", "ol", "blockquote"})
_INLINE = "a abbr acronym b bdi bdo big cite code del em font i img ins kbd mark q s small span strike strong sub sup tt u var"
_TAG = re.compile(
    r"<(?:!--|/?(?:" + "|".join([*_SKIPPED, *_BLOCKS, *_INLINE.split()]) + r")(?=[\s/>]|$))", re.IGNORECASE
)
_ANY_MARKUP = re.compile(r"<[a-zA-Z!/?]")
_DOCUMENT = re.compile(r"<(?:!doctype|/?(?:html|body|head|frame))", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?!\.?\d*[1-9])",
    re.IGNORECASE,
)

# Markup as most summaries have it, whose text needs no parser: a few tags that hide nothing, and entities that all agree on.
_SIMPLE_TEXT = "[^<&\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*+(?:&(?:amp|lt|gt|quot|nbsp);[^<&\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*+)*+"
_SIMPLE = re.compile(
    _SIMPLE_TEXT
    + r"(?:<(?:br\s*+/?|/(?:p|a|b|i|em|strong|u|span|div|ul|ol|li|blockquote)\s*+|(?:p|a|b|i|em|strong|u|span|div|ul|ol|li|blockquote)"
    r"(?:\s++(?:href|class|target|rel|title|id)=(?:\"[^\"<>]*+\"|'[^'<>]*+'))*+\s*+)>" + _SIMPLE_TEXT + ")*+",
    re.IGNORECASE,
)
_SIMPLE_TAG = re.compile("<(/?)([a-z]++)[^>]*+>", re.IGNORECASE)

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_OVERRIDE = re.compile("[\u202d\u202e\u2066-\u2068]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_ASCII_JOINER = re.compile("(?<=[\x20-\x7e])[\u200c\u200d]+|[\u200c\u200d]+(?=[\x20-\x7e])")
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(p * 0x10000 + e) for p in range(1, 17) for e in (0xFFFE, 0xFFFF))
    + "]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Plain text with what was noticed on the way: `cut`, `bidi`, `hidden`, `control`."""

    text: str
    flags: frozenset[str] = frozenset()


_NOTHING = Cleaned("")


def clean(value: str, limit: int = CONTENT_LIMIT) -> Cleaned:
    """Make any str safe to store, show and log: NFC, no controls, no lone surrogates, blanks collapsed, cut."""
    if len(value) <= limit and _is_clean(value):
        return Cleaned(value.strip())
    flags: set[str] = set()
    if len(value) > limit * MARKUP_FACTOR:
        value = value[: limit * MARKUP_FACTOR]
        flags.add("cut")
    text = _collapse(_characters(value, flags))
    if len(text) > limit:
        text = text[:limit].rstrip()
        flags.add("cut")
    return Cleaned(text, frozenset(flags))


def plain(value: str, limit: int = CONTENT_LIMIT, *, markup: bool | None = None) -> Cleaned:
    """Visible text of a field that may hold HTML (`markup=None`: decide by looking); paragraphs become lines.

    Entities are resolved at most twice, because feeds escape twice but an article about `&amp;lt;` means it.
    """
    if not markup and "<" not in value and "&" not in value:
        return clean(value, limit) if value else _NOTHING
    flags: set[str] = set()
    if len(value) > limit * MARKUP_FACTOR:
        value = value[: limit * MARKUP_FACTOR]
        flags.add("cut")
    for _ in range(2):
        before = value
        if markup or (markup is None and _TAG.search(value)):
            value = _visible(value, flags)
        elif _ENTITY.search(value):
            value = html.unescape(value)
        if value == before:
            break
        markup = None
    cleaned = clean(value, limit)
    return Cleaned(cleaned.text, cleaned.flags | flags)


def title(value: str, limit: int = TITLE_LIMIT) -> Cleaned:
    """One line of plain text. `Profit <5% at AT&T` keeps its signs; real tags and double escapes go."""
    if not value:
        return _NOTHING
    if len(value) <= limit and "<" not in value and "&" not in value and _is_clean(value):
        return Cleaned(value.strip())
    cleaned = plain(value, limit)
    return Cleaned(cleaned.text.replace("\n", " "), cleaned.flags)


def one_line(value: str, limit: int = 300) -> str:
    """For logs and error columns: cleaned, on one line, cut with an ellipsis."""
    text = clean(value, max(limit * 4, 1)).text.replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _is_clean(value: str) -> bool:
    """Whether nothing is to be done: `isprintable` is false for every control, format, surrogate and blank but the space."""
    return (
        value.isprintable()
        and "  " not in value
        and (value.isascii() or unicodedata.is_normalized("NFC", value))
    )


def _characters(value: str, flags: set[str]) -> str:
    if value.isascii():
        if value.replace("\n", " ").replace("\t", " ").isprintable():
            return value
        stripped = _CONTROLS.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
        if len(stripped) < len(value) and _CONTROLS.search(value.replace("\r", "")):
            flags.add("control")
        return stripped
    value = _join_surrogates(value).replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    value = value.replace("\u2028", "\n").replace("\u2029", "\n")
    value = _drop(_CONTROLS, value, flags, "control")
    if _OVERRIDE.search(value):
        flags.add("bidi")
    value = _BIDI.sub("", value)
    value = _drop(_INVISIBLE, value, flags, "hidden")
    value = _drop(_ASCII_JOINER, value, flags, "hidden")
    value = _NONCHARACTERS.sub("", value)
    return value if unicodedata.is_normalized("NFC", value) else unicodedata.normalize("NFC", value)


def _join_surrogates(value: str) -> str:
    if not _SURROGATES.search(value):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _drop(pattern: re.Pattern[str], value: str, flags: set[str], flag: str) -> str:
    dropped = pattern.sub("", value)
    if len(dropped) < len(value):
        flags.add(flag)
    return dropped


def _collapse(value: str) -> str:
    """One blank for several, no empty lines, no blanks around a line."""
    if "\n" not in value:
        return " ".join(value.split())
    return "\n".join(filter(None, (" ".join(line.split()) for line in value.split("\n"))))


def _visible(value: str, flags: set[str]) -> str:
    if not value.strip():
        return ""
    if not _ANY_MARKUP.search(value):
        return html.unescape(value)
    if _SIMPLE.fullmatch(value) and _is_balanced(value):
        text = _SIMPLE_TAG.sub(_break, value)
        return html.unescape(text) if "&" in text else text
    try:
        root = _fragment(_no_nul(value))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        return html.unescape(re.sub(r"<[^<>]*>", " ", value))
    return "".join(_pieces(root, flags))


def _is_balanced(value: str) -> bool:
    """Whether each tag is closed where it should be: then its text is what is left without the tags."""
    open_: list[str] = []
    for closing, name in _SIMPLE_TAG.findall(value.lower()):
        if closing:
            if not open_ or open_.pop() != name:
                return False
        elif name != "br":
            # A paragraph ends where a block begins; an item, a link or bold print where the next one does: what closes them
            # later closes nothing.
            if (name in _BLOCKS and "p" in open_) or (name in open_ and name not in _NESTING):
                return False
            open_.append(name)
    return not open_


def _break(tag: re.Match[str]) -> str:
    return "\n" if tag[2].lower() in _BLOCKS else ""


def _fragment(value: str) -> etree._Element:
    """The element that holds the markup. lxml.html tells fragments from documents; most cannot be documents."""
    if _DOCUMENT.search(value):
        return lxml_html.fragment_fromstring(value, create_parent="div", parser=_document_parser())
    body = etree.fromstring(f"<html><body>{value}</body></html>", _parser()).find("body")
    if body is None:
        raise ValueError("no body")
    return body


def _no_nul(value: str) -> str:
    return _CONTROLS.sub(" ", _join_surrogates(value)).replace("\ufffe", "").replace("\uffff", "")


@lru_cache(maxsize=1)
def _parser() -> etree.HTMLParser:
    return etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)


@lru_cache(maxsize=1)
def _document_parser() -> lxml_html.HTMLParser:
    return lxml_html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)


def _pieces(root: etree._Element, flags: set[str]) -> list[str]:
    pieces: list[str] = []
    hidden = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag
        if event == "start":
            if hidden or tag in _SKIPPED or _is_hidden(element, flags):
                hidden += 1
                continue
            if tag in _BLOCKS:
                pieces.append("\n")
            pieces.append(element.text or "")
            continue
        if hidden:
            hidden -= 1
        elif tag in _BLOCKS:
            pieces.append("\n")
        if not hidden and element is not root:
            pieces.append(element.tail or "")
    return pieces


def _is_hidden(element: etree._Element, flags: set[str]) -> bool:
    if not element.attrib:
        return False
    style = element.get("style")
    hidden = element.get("hidden") is not None or bool(style and _HIDING_STYLE.search(str(style)))
    if hidden and (element.text or len(element)):
        flags.add("hidden")
    return hidden
