"""The first line of an answer, the same in every notebook, on every page and on the command line."""

from lib.goals import READING_LABELS, Verdict, parse_goal
from lib.outlook import Answer
from lib.words import Said, fill, markdown, plain

IN_TEN = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SURE_ENOUGH = 0.6
"""Below this probability of the likelier outcome nobody can tell."""


def stated(answer: Answer) -> Verdict:
    """The verdict of the reading in which the goal was stated."""
    return next(item for item in answer.verdicts if item.reading == answer.case.reading)


def chance(answer: Answer) -> float | None:
    """The probability of that reading; None where the figures decide it or cannot tell of it."""
    return answer.chances.get(answer.case.reading)


def headline(answer: Answer) -> Said:
    """Verdict, or the likelier outcome with its probability and kind, for the reading in which the goal was stated."""
    outcome, p = stated(answer).outcome, chance(answer)
    if outcome in ("met", "missed"):
        return markdown(
            "**{word}.** Read {reading}, {reason}.",
            word=outcome.capitalize(),
            reason=_reason(answer),
            **_of(answer),
        )
    if p is None:
        return markdown(
            "**Not known.** Read {reading}, the record cannot say: {why}.",
            why=stated(answer).reason,
            **_of(answer),
        )
    if answer.kind != "inferred":
        how = (
            f"a nowcast, while {answer.goal.deadline} is running"
            if answer.kind == "nowcast"
            else "a forecast"
        )
        return markdown(
            "**Open: {p:pct}** that it will be met, read {reading}: {how}.", p=p, how=how, **_of(answer)
        )
    if max(p, 1 - p) < SURE_ENOUGH:
        return markdown(
            "**Cannot tell: {p:pct}** that it was met, read {reading}: inferred, {since}.", p=p, **_of(answer)
        )
    word = "Met" if p > 0.5 else "Missed"
    odds = _odds(max(p, 1 - p))
    return markdown(
        "**{word}**, with a probability {odds}: inferred, {since}, read {reading}.",
        word=word,
        odds=odds,
        **_of(answer),
    )


def plainly(answer: Answer) -> str:
    """`headline` as plain text, for programs: no Markdown."""
    return plain(headline(answer))


def _of(answer: Answer) -> dict[str, str]:
    since = f"since no figure of {answer.goal.deadline} had been published by {answer.case.as_of:%-d %B %Y}"
    return {"reading": READING_LABELS[answer.case.reading], "since": since}


def _odds(p: float) -> str:
    """A probability above one half in words and figures: "of about nine in ten (91 %)", "above 99 %"."""
    if p >= 0.955:
        said = fill("{p:pct}", p=p)
        return said if said.startswith("above") else f"of {said}"
    return fill("of about {words} in ten ({p:pct})", words=IN_TEN[round(10 * p)], p=p)


def _reason(answer: Answer) -> str:
    """What decided it: of a level goal the level reached, of a rate the rate."""
    goal, verdict = answer.goal, stated(answer)
    kind, wanted, currency = parse_goal(answer.case.goal)
    if kind == "level" and verdict.reading == "average" and goal.deadline in answer.levels.index:
        reached = answer.levels[goal.deadline]
        return fill(
            "{reached:{c}} of {wanted:{c}} in {year}",
            reached=reached,
            wanted=wanted,
            c=currency,
            year=goal.deadline,
        )
    return verdict.reason
