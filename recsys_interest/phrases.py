"""One phrase per event, by templates, in English and Chinese.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Formatter
from types import MappingProxyType

import pandas as pd

from recsys_interest.checks import shown

__all__ = ["EVENT_PHRASES", "SEPARATORS", "check_language", "event_phrases"]

Templates = Mapping[str, Iterable[str] | str]

#: Between two phrases.
SEPARATORS: Mapping[str, str] = MappingProxyType({"en": "; ", "zh": "；"})

#: For each language and kind of event its templates; the first one that can be filled is used.
#: An impression was not chosen by the user and says nothing. The kind "" serves all others.
EVENT_PHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "en": {
            "impression": (),
            "browse": ("viewed {item}",),
            "search": ("searched for {text}", "searched for {item}"),
            "exam_score": ("scored {value} in {item}", "took the exam in {item}"),
            "play": ("played {item}",),
            "follow": ("followed {item}",),
            "like": ("liked {item}",),
            "comment": ("wrote about {item}: {text}", "wrote: {text}", "wrote about {item}"),
            "rate": (
                *("rated {item} {value}: {text}", "rated {item} {value}", "rated {item}"),
                "wrote: {text}",
            ),
            "share": ("shared {item}",),
            "favourite": ("saved {item}",),
            "enrol": ("enrolled in {item}",),
            "purchase": ("bought {item}",),
            "return": ("returned {item}",),
            "": ("{event} {item}: {text}", "{event} {item}", "{event}: {text}"),
        },
        "zh": {
            "impression": (),
            "browse": ("浏览{item}",),
            "search": ("搜索{text}", "搜索{item}"),
            "exam_score": ("{item}考试得{value}分", "参加{item}考试"),
            "play": ("播放{item}",),
            "follow": ("关注{item}",),
            "like": ("点赞{item}",),
            "comment": ("评论{item}：{text}", "评论：{text}", "评论{item}"),
            "rate": (
                *("给{item}打{value}分：{text}", "给{item}打{value}分", "评价{item}"),
                "评论：{text}",
            ),
            "share": ("分享{item}",),
            "favourite": ("收藏{item}",),
            "enrol": ("报名{item}",),
            "purchase": ("购买{item}",),
            "return": ("退货{item}",),
            "": ("{event}{item}：{text}", "{event}{item}", "{event}：{text}"),
        },
    }
)

_FIELDS = ("event", "item", "text", "value")


def check_language(language: object) -> str:
    """Return the language if there are templates for it, or say for which there are."""
    if language not in EVENT_PHRASES:
        known = shown(EVENT_PHRASES)
        raise ValueError(f"language must be one of {known}, got {language!r}")
    return str(language)


def event_phrases(
    events: pd.DataFrame, titles: pd.Series, language: str, templates: Templates | None
) -> pd.Series:
    """Return one phrase per event; the empty text where no template can be filled.

    Parameters
    ----------
    events : DataFrame
        Valid events.
    titles : Series of str
        The text of each event's item, same index; empty where it has none.
    language : {"en", "zh"}
        Which of `EVENT_PHRASES` to use.
    templates : mapping of str to str or list of str, optional
        Overrides or extends them, by kind of event.

    Returns
    -------
    Series of str
        Same index.
    """
    table = {**EVENT_PHRASES[language], **_checked(templates)}
    values = events["value"].map("{:g}".format).where(events["value"].notna(), "")
    fields = {"event": events["event"], "item": titles, "text": events["text"], "value": values}
    fields = {name: column.astype("str") for name, column in fields.items()}
    out = pd.Series("", index=events.index, dtype="str")
    for kind, rows in events.groupby("event", sort=False).groups.items():
        own = {name: column.loc[rows] for name, column in fields.items()}
        out.loc[rows] = _filled(table.get(kind, table[""]), own)
    return out


def _filled(templates: Iterable[str], fields: Mapping[str, pd.Series]) -> pd.Series:
    """Return the phrases of events of one kind, each by the first template that can be filled."""
    some = fields["event"]
    out, open_ = pd.Series("", index=some.index), pd.Series(True, index=some.index)
    for template in templates:
        parts = [(before, name) for before, name, _, _ in Formatter().parse(template)]
        usable = open_.copy()
        for _, name in parts:
            if name is not None:
                usable &= fields[name] != ""
        phrase = pd.Series("", index=some.index[usable])
        for before, name in parts:
            phrase = phrase + before
            phrase = phrase if name is None else phrase + fields[name][usable]
        out[usable] = phrase
        open_ &= ~usable
    return out


def _checked(templates: Templates | None) -> dict[str, tuple[str, ...]]:
    if templates is None:
        return {}
    if not isinstance(templates, Mapping):
        raise TypeError(f"templates must be a mapping of kinds of events, got {templates!r}")
    table = {k: (t,) if isinstance(t, str) else tuple(t) for k, t in templates.items()}
    for kind, texts in table.items():
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"the template of {kind!r} must be text, got {text!r}")
            try:
                parts = list(Formatter().parse(text))
            except ValueError as error:
                raise ValueError(f"the template {text!r} of {kind!r}: {error}") from None
            odd = [
                p[1] for p in parts if p[1] is not None and (p[1] not in _FIELDS or p[2] or p[3])
            ]
            if odd:
                raise ValueError(
                    f"the template {text!r} of {kind!r} has the field {shown(odd)}; "
                    f"the fields are {shown(_FIELDS)}, without a format"
                )
    return table
