"""Links from strangers: http(s) or nothing; and the key under which copies of a page meet. Pure."""

import hashlib
import re
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

URL_LIMIT = 2_048

# Parameters that say how a reader came, not what is read. Feeds of the finance press add their own kinds.
_TRACKING = frozenset(
    """
    fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid twclid igshid mc_cid mc_eid mkt_tok oly_anon_id oly_enc_id
    _openstat _hsenc _hsmi __hstc __hssc __hsfp hsctatracking vero_id vero_conv wickedid s_cid s_kwcid ef_id ocid
    ref ref_src ref_url referrer source src_src cmp cmpid cmp_id icid ncid ito xtor at_medium at_campaign
    mod .tsrc siteid rss segmentid syn-25a6b1a6 __source taid guccounter guce_referrer guce_referrer_sig
    feature ftag partner smid smtyp sref leadsource campaign campaign_id traffic_source via share st_refs output
    """.split()  # noqa: SIM905 - one name per word reads better
)
_TRACKING_PREFIXES = ("utm_", "mtm_", "hsa_", "pk_", "piwik_", "matomo_", "syn-", "at_", "stm_")
# Where a name of the list above is what tells two pages apart.
_IDENTITY: dict[str, frozenset[str]] = {
    "youtube.com": frozenset({"feature"}),
    "news.ycombinator.com": frozenset({"id"}),
}
# These addresses wrap a target that they do not show: no key can be made of them.
_OPAQUE = re.compile(
    r"^(?:news\.google\.com/(?:rss/)?(?:articles|read)/|t\.co/|feedproxy\.google\.com/|bit\.ly/)"
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f<>\"\\^`{|}\ud800-\udfff]")
# Most links are plain: an absolute address of harmless characters.
_PLAIN = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[A-Za-z0-9/._~!$&'()*+,;=:@%?#-]*)?")
# ... and most of those have nothing to normalise but their query.
_NORMAL = re.compile(
    r"https?://(?P<host>[a-z0-9.-]+)(?P<path>(?:/[A-Za-z0-9._~-]+)+/?)(?:\?(?P<query>[A-Za-z0-9._~=&-]*))?(?:#[A-Za-z0-9._-]*)?"
)


def safe_link(value: str | None, base: str | None = None) -> str | None:
    """An absolute http(s) address of at most 2,048 characters without user name or control characters, or None."""
    if value and len(value) <= URL_LIMIT and _PLAIN.fullmatch(value):
        return value
    candidate = (value or "").strip()
    if not candidate or len(candidate) > URL_LIMIT:
        return None
    try:
        parts = urlsplit(urljoin(base or "", candidate))
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    link = _FORBIDDEN.sub(lambda match: _quoted(match[0]), urlunsplit(parts))
    return link if len(link) <= URL_LIMIT else None


@lru_cache(maxsize=4096)
def canonical_link(link: str) -> str | None:
    """`link` as copies of the page share it: no scheme, `www.`, fragment or tracking; None if it names no page."""
    normal = _NORMAL.fullmatch(link)
    if normal and "/." not in normal["path"]:
        return _canonical(
            normal["host"], normal["path"], "&".join(sorted((normal["query"] or "").split("&")))
        )
    from w3lib.url import canonicalize_url  # it loads an HTTP client, and few links need it

    try:
        parts = urlsplit(canonicalize_url(link))
    except ValueError:
        return None
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    return _canonical((parts.hostname or "") + port, parts.path, parts.query)


def _canonical(host: str, path: str, query: str) -> str | None:
    host, page = host.removeprefix("www."), path.rstrip("/")
    query = _kept_query(query, host)
    if not host or _OPAQUE.match(f"{host}{path}") or not (page or query):
        return None
    return f"{host}{page}" + (f"?{query}" if query else "")


def url_key(link: str | None) -> bytes | None:
    """16 bytes of blake2b over the canonical link, or None where there is none."""
    canonical = canonical_link(link) if link else None
    return (
        hashlib.blake2b(canonical.encode("utf-8", "replace"), digest_size=16).digest() if canonical else None
    )


@lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """Host of an address, lower case, '' if it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _kept_query(query: str, host: str) -> str:
    if not query:
        return ""
    identity = _IDENTITY.get(host, frozenset())
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=None)
    return urlencode(
        [(name, value) for name, value in pairs if name.lower() in identity or not _is_tracking(name.lower())]
    )


def _is_tracking(name: str) -> bool:
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
