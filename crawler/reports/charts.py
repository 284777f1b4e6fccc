"""Charts as inline SVG, drawn by hand: stacked bars, ratio dots, verdict marks.

Proportions are fractions until the last step, where a position becomes a percentage with
four decimals. Positions are percentages of the drawing, so a chart fits every width
without scaling its patterns. Classes come from the fixed sets below, never from data, and
every chart says in words what it shows. Colours and patterns stand in the page's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec
from markupsafe import Markup

from crawler.reports.summary import Segment

CLAIM_KEYS = {
    "owned": "owned",
    "found": "found only (not shown to be owned)",
    "short": "missing",
    "unseen": "not looked at",
}
STATUS_KEYS = {
    "bound": "bound",
    "controlled": "controlled",
    "signer-only": "signer only",
    "unsigned": "unsigned",
    "unsupported": "unsupported",
    "refuted": "refuted",
}
CLASS_KEYS = {
    "native": "native",
    "bridged": "bridged",
    "wrapped": "wrapped",
    "receipt": "receipt",
    "self-issued": "self-issued",
}
_KEYS = CLAIM_KEYS.keys() | STATUS_KEYS.keys() | CLASS_KEYS.keys()

HATCHED = {
    "found": "upright",
    "short": "dense",
    "unseen": "rising",
    "controlled": "level",
    "signer-only": "upright",
    "unsigned": "falling",
    "unsupported": "rising",
    "refuted": "dense",
    "bridged": "upright",
    "wrapped": "falling",
    "receipt": "rising",
    "self-issued": "dense",
}
"""Which stripes lie over a colour, so that colour never stands alone."""

_STRIPES = {
    "rising": (0, 3, 3),
    "falling": (3, 3, 0),
    "dense": (0, 2, 2),
    "upright": (0, 4, 0),
    "level": (0, 0, 4),
}
"""End points (y1, x2, y2) of one period of each kind of stripe, in pixels."""

_MARKS = {
    "stands": '<path d="M2.5 7.5 5.5 10.5 11.5 3.5" class="stroke"/>',
    "shortfall": '<path d="M1.5 2.5h11L7 12.5z" class="solid"/>',
    "surplus": '<path d="M1.5 11.5h11L7 1.5z" class="line"/>',
    "incomplete": '<circle cx="7" cy="7" r="5" class="line"/><path d="M7 2a5 5 0 0 0 0 10z" '
    'class="solid"/>',
    "not-looked-at": '<circle cx="7" cy="7" r="5" class="line dashed"/>',
}
_RATIO_TOP = Fraction(200)


class Scale(msgspec.Struct, frozen=True):
    """A linear scale of percentages; what lies beyond is drawn at the edge."""

    low: Fraction
    high: Fraction

    def at(self, value: Fraction) -> Fraction:
        """Return the position of ``value`` between 0 and 1."""
        inside = min(max(value, self.low), self.high)
        return (inside - self.low) / (self.high - self.low)


def key_class(key: str) -> str:
    """Return the class of a known key, ``other`` for anything else."""
    return key if key in _KEYS else "other"


def position(part: Fraction) -> str:
    """Write a part of the whole as a percentage with four decimals: the last step."""
    units = round(part * 1_000_000)
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // 10_000}.{abs(units) % 10_000:04d}%"


def swatch(key: str) -> Markup:
    """Draw one colour and pattern for a legend."""
    return Markup('<svg class="swatch" width="22" height="12" aria-hidden="true">{}</svg>').format(
        _block(key, "0%", "100%", 12)
    )


def stacked_bar(
    segments: Sequence[Segment], words: str, *, claim: Fraction | None = None, height: int = 16
) -> Markup:
    """Draw parts of a whole side by side; with ``claim`` a rule underneath shows its length.

    Widths are exact to a millionth of the whole. A part with the key ``short`` also gets a
    pointer above it, so that it is seen even where it is thinner than a pixel.
    """
    total = sum((segment.value for segment in segments), Fraction(0))
    whole = max(total, claim or Fraction(0))
    top = 7 if claim is not None else 0
    body = Markup("")
    edge = Fraction(0)
    for segment in segments if whole else ():
        start, edge = edge, edge + segment.value
        left, right = round(start / whole * 1_000_000), round(edge / whole * 1_000_000)
        x, width = position(Fraction(left, 1_000_000)), position(Fraction(right - left, 1_000_000))
        body += _block(segment.key, x, width, height, top)
        if segment.key == "short":
            middle = position((start + edge) / 2 / whole)
            body += Markup(
                '<svg x="{}" y="0" width="1" height="6" overflow="visible">'
                '<path d="M-4 0h8L0 5.5z" class="pointer"/></svg>'
            ).format(middle)
    if claim is not None:
        length = position(claim / whole if whole else Fraction(0))
        body += Markup('<rect class="rule" x="0" y="{}" width="{}" height="2"/>').format(
            top + height + 2, length
        )
    return Markup(
        '<svg class="bar" width="100%" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(top + height + (4 if claim is not None else 0), words, body)


def _block(key: str, x: str, width: str, height: int, y: int = 0) -> Markup:
    kind = key_class(key)
    box = Markup('x="{}" y="{}" width="{}" height="{}"').format(x, y, width, height)
    block = Markup('<rect class="k-{}" {}/>').format(kind, box)
    if kind in HATCHED:
        block += Markup('<rect fill="url(#hatch-{})" {}/>').format(HATCHED[kind], box)
    return block


def ratio_scale(values: Sequence[Fraction]) -> Scale:
    """Return a scale that shows 100% and every value up to 200%."""
    low = min([*values, Fraction(100)])
    high = min(max([*values, Fraction(100)]), _RATIO_TOP)
    step = Fraction(20 if high - low > 60 else 5)  # noqa: PLR2004
    return Scale(
        max(Fraction(0), (low / step).__floor__() * step - step),
        (high / step).__ceil__() * step + step,
    )


def ratio_axis(scale: Scale) -> Markup:
    """Draw the numbers of the scale: both ends and 100%."""
    body = Markup("")
    middle = scale.at(Fraction(100))
    for value, anchor in ((scale.low, "start"), (Fraction(100), "middle"), (scale.high, "end")):
        near = value != 100 and abs(scale.at(value) - middle) < Fraction(1, 6)  # noqa: PLR2004
        if near:
            continue
        body += Markup('<text x="{}" y="11" text-anchor="{}">{}%</text>').format(
            position(scale.at(value)), anchor, int(value)
        )
    return Markup('<svg class="axis" width="100%" height="14" aria-hidden="true">{}</svg>').format(
        body
    )


def ratio_dots(marks: Sequence[tuple[str, Fraction]], scale: Scale, words: str) -> Markup:
    """Draw ratios on one line: disc, ring, diamond and tick."""
    hundred = position(scale.at(Fraction(100)))
    body = Markup(
        '<line class="thread" x1="0" x2="100%" y1="11" y2="11"/>'
        '<line class="hundred" x1="{0}" x2="{0}" y1="0" y2="22"/>'
    ).format(hundred)
    for kind, value in marks:
        body += Markup(
            '<svg x="{}" y="0" width="1" height="22" overflow="visible">{}</svg>'
        ).format(position(scale.at(value)), _dot(kind))
    return Markup(
        '<svg class="dots" width="100%" height="22" role="img" aria-label="{}">{}</svg>'
    ).format(words, body)


def _dot(kind: str) -> Markup:
    shapes = {
        "stated": '<path d="M0 2v18" class="d-stated"/>',
        "claimed": '<circle cx="0" cy="11" r="6" class="d-claimed"/>',
        "recounted": '<circle cx="0" cy="11" r="3" class="d-recounted"/>',
        "owned": '<path d="M0 3 8 11 0 19 -8 11z" class="d-owned"/>',
    }
    return Markup(shapes[kind])  # noqa: S704


def dot_swatch(kind: str) -> Markup:
    """Draw one mark of ``ratio_dots`` for a legend."""
    return Markup(
        '<svg class="swatch" width="16" height="22" aria-hidden="true">'
        '<svg x="8" y="0" width="1" height="22" overflow="visible">{}</svg></svg>'
    ).format(_dot(kind))


def mark(verdict: str) -> Markup:
    """Draw the sign of an asset verdict; the word always stands beside it."""
    shape = Markup(_MARKS.get(verdict, '<path d="M7 2v6M7 10.5v1.5" class="stroke"/>'))  # noqa: S704
    kind = verdict if verdict in _MARKS else "other"
    return Markup(
        '<svg class="mark v-{}" width="14" height="14" aria-hidden="true">{}</svg>'
    ).format(kind, shape)


def patterns() -> Markup:
    """Define the stripes that the charts of a page share.

    They are repeating gradients, not pattern elements, because those become large pictures
    when the page is printed to a PDF.
    """
    body = Markup("").join(
        Markup(
            '<linearGradient id="hatch-{}" class="hatch" gradientUnits="userSpaceOnUse" '
            'spreadMethod="repeat" x1="0" y1="{}" x2="{}" y2="{}">'
            '<stop offset="0"/><stop offset=".2"/><stop class="gap" offset=".34"/>'
            '<stop class="gap" offset=".86"/><stop offset="1"/></linearGradient>'
        ).format(name, *line)
        for name, line in _STRIPES.items()
    )
    return Markup(
        '<svg class="defs" width="0" height="0" aria-hidden="true"><defs>{}</defs></svg>'
    ).format(body)
