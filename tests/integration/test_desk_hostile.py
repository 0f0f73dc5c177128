"""What feeds and people write stands on every page and does nothing there."""

from __future__ import annotations

import re
from pathlib import Path

from desk_market import PAGES, EveryWord, change, client, fill, one, settings
from sqlalchemy import Engine

from model.registry import STARTER

PAYLOADS = [
    "<script>alert(1)</script>", "\"><script>alert(1)</script>", "'><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<img src=x onerror=alert(1)//>", "</title><script>alert(1)</script>", "</script><script>alert(1)</script>", "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>", "javascript:alert(1)", "{{ 7*7 }}", "{% import os %}", "${7*7}", "<%= 7*7 %>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>", "<body onload=alert(1)>", "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "<style>*{x:expression(alert(1))}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<object data=javascript:alert(1)>", "<embed src=javascript:alert(1)>", "<form action=//evil.example><button>x</button></form>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "\u202e<script>alert(1)</script>", "<scr\x0bipt>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>", "<script\n>alert(1)</script\n>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<template><script>alert(1)</script></template>",
    "<marquee onstart=alert(1)>", "<select onchange=alert(1)><option>", "<textarea autofocus onfocus=alert(1)>", "<keygen autofocus onfocus=alert(1)>",
    "-->\"'<!--<img src=x onerror=alert(1)>", "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->", "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
]  # fmt: skip


def test_hostile_words_do_nothing(engine: Engine, tmp_path: Path) -> None:
    """Forty payloads as titles, texts, outlets, companies, reasons, labels and notes: none becomes an element or attribute."""
    fill(engine, stories=200, days=9)
    for number, payload in enumerate(PAYLOADS, start=1):
        change(
            engine,
            "update stories set title = :p, text = :p || ' ' || text where id = (select max(id) - :n from stories)",
            p=payload,
            n=number,
        )
        change(
            engine, "update companies set name = :p where id = :n", p=f"{payload} {number}", n=1 + number % 24
        )
        change(
            engine,
            "update labels set labelled_by = :p, note = :p where id = (select min(id) + :n from labels)",
            p=payload,
            n=number,
        )
    assert len(PAYLOADS) >= 40
    everywhere = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    for statement in (
        "update articles set source = :p, title = :p, summary = :p, url = 'javascript:alert(1)', author = :p",
        "update series set title = :p || id, key = :p || id",
        "update feeds set title = :p, url = 'javascript:alert(1)//' || id",
        "update feed_states set error_class = :p, error_message = :p, next_due_reason = :p",
        "update alerts set acknowledged_by = :p, cause = :p",
        "update alerts set evidence = jsonb_set(evidence, '{stories}', jsonb_build_array(jsonb_build_object("
        "'title', cast(:p as text), 'url', 'javascript:alert(1)', 'source', cast(:p as text), 'quote', cast(:p as text)))) where evidence <> '{}'",
        "update model_alias_events set reason = :p, set_by = :p",
        "update retrainings set reasons = jsonb_build_array(cast(:p as text))",
        "update drift_reports set subject = :p || id, detail = jsonb_build_object('cause', cast(:p as text))",
    ):
        change(engine, statement, p=everywhere)
    change(engine, "update model_versions set path = :path", path=str(STARTER))
    browser = client(engine, settings(tmp_path))
    browser.app.state.desk.explainer = EveryWord()  # type: ignore[attr-defined]
    top = one(engine, "select max(id) from stories")
    alert = one(engine, "select max(id) from alerts")
    singles = [f"/stories/{top - n}" for n in range(1, len(PAYLOADS) + 1)]
    singles += [f"{path}/words" for path in singles]
    change(engine, "update alerts set inhibited_by = :n where id < :n", n=alert)
    singles += [
        f"/alerts/{alert}",
        "/series/30",
        "/feeds/6",
        "/label/next",
        f"/stories?q={everywhere}",
        f"/?said={everywhere}",
    ]
    for path in [*PAGES, *singles]:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        if "json" in answer.headers["content-type"]:
            continue
        text = re.sub(r'<script type="application/json" id="items">[^<]*</script>', "", answer.text)
        allowed = r'<script src="/static/[\w./-]+" defer>'
        assert not re.search(r"<script", re.sub(allowed, "", text), re.I), path
        assert not re.search(
            r"<(img(?! src=\"/static)|iframe|object|embed|base|style|math|body o|video|template|marquee)",
            text,
            re.I,
        ), path
        assert not re.search(r'(href|src|action)="\s*javascript:', text, re.I), path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", text), path
