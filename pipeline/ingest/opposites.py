"""Whether two titles that are alike say opposite things: `Oil trades at 3-month low` and `... high`. Pure.

Only titles that differ in hardly more than the opposed words are opposed: copies of one text may be headed `Stocks rise` and
`Dollar falls`.
"""

# Families of opposed words, folded; characters of Chinese titles are words.
_FAMILIES: tuple[tuple[frozenset[str], frozenset[str]], ...] = tuple(
    (frozenset(up.split()), frozenset(down.split()))
    for up, down in (
        (
            "rise rises rose rising gain gains gained jump jumps jumped surge surges surged soar soars soared climb climbs climbed rally rallies"
            " rallied rebound rebounds advance advances up higher high highs increase increases increased grow grows grew growth strong stronger",
            "fall falls fell falling drop drops dropped slump slumps slumped plunge plunges plunged tumble tumbles tumbled slide slides slid sink"
            " sinks sank decline declines declined slip slips slipped dip dips down lower low lows decrease decreases decreased shrink shrinks"
            " shrank weak weaker lose loses lost",
        ),
        ("beat beats top tops topped exceed exceeds exceeded", "miss misses missed"),
        (
            "raise raises raised lift lifts lifted hike hikes hiked boost boosts boosted",
            "cut cuts lower lowers lowered reduce reduces reduced trim trims trimmed slash slashes slashed",
        ),
        ("upgrade upgrades upgraded overweight outperform", "downgrade downgrades downgraded underweight underperform"),
        ("buy buys bought bullish", "sell sells sold bearish"),
        ("profit profits", "loss losses"),
        ("win wins won", "lose loses lost"),
        ("approve approves approved accept accepts accepted clear clears", "reject rejects rejected block blocks blocked"),
        ("confirm confirms confirmed", "deny denies denied"),
        ("涨 升 增 上 盈 买", "跌 降 减 下 亏 卖"),
    )
)  # fmt: skip
_OPPOSABLE = frozenset().union(*(words for family in _FAMILIES for words in family))
_NEGATIONS = frozenset("not no never cannot t 不 未 否".split())  # noqa: SIM905 - `isn't` is `isn t` in a folded title
_FILLERS = frozenset(
    "a an the is are was were be will would do does did has have it its on in at to of and as isn doesn didn don can 认".split()  # noqa: SIM905
)
_TELLING = _OPPOSABLE | _NEGATIONS
_MOST = 8  # words in which they may differ at all: most headings of one text differ in more, or in nothing that tells
# Other words that the titles may differ in, one of them in none.
_SLACK = 2


def are_opposed(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether titles of these folded words differ in opposed words, or a negation, and hardly else."""
    own, its = one - other - _FILLERS, other - one - _FILLERS
    if len(own) + len(its) > _MOST or not (own & _TELLING or its & _TELLING):
        return False
    if len(own & _NEGATIONS) != len(its & _NEGATIONS):
        return not (own | its) - _NEGATIONS
    opposed: set[str] = set()
    for up, down in _FAMILIES:
        if (own & up and its & down) or (own & down and its & up):
            opposed |= up | down
    return bool(opposed) and _is_all(own - opposed, its - opposed)


def _is_all(one: frozenset[str], other: frozenset[str]) -> bool:
    return min(len(one), len(other)) == 0 and max(len(one), len(other)) <= _SLACK
