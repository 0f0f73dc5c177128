"""The words a classifier may say: three sentiments and twenty topics, by name and in a fixed order.

A stored model carries these names; a model whose names differ is refused, never read by position.
"""

from __future__ import annotations

from typing import Final

SENTIMENTS: Final = ("negative", "neutral", "positive")

#: Name of each topic and the title people read. The names are those of the Twitter Financial News Topic set.
TOPIC_TITLES: Final[dict[str, str]] = {
    "analyst_update": "Analyst updates",
    "central_banks": "Central banks",
    "company_product_news": "Company and product news",
    "corporate_debt": "Treasuries and corporate debt",
    "currencies": "Currencies",
    "dividend": "Dividends",
    "earnings": "Earnings",
    "energy": "Oil and energy",
    "financials": "Financial results",
    "general_opinion": "General news and opinion",
    "ipo": "Stock market listings",
    "legal_regulation": "Legal and regulation",
    "macro": "Economy",
    "markets": "Markets",
    "mergers_investments": "Mergers and investments",
    "metals_materials": "Gold, metals and materials",
    "personnel": "Personnel changes",
    "politics": "Politics",
    "stock_commentary": "Stock commentary",
    "stock_movement": "Stock movements",
}

TOPICS: Final = tuple(TOPIC_TITLES)

#: Raised by one whenever a name above is added, removed or reordered; stored models name the version they speak.
LABEL_SCHEMA_VERSION: Final = 1


def label_map() -> dict[str, list[str]]:
    """The names every head must speak, as a manifest stores them: {"sentiment": [...], "topics": [...]}."""
    return {"sentiment": list(SENTIMENTS), "topics": list(TOPICS)}
