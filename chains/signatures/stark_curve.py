"""The STARK curve in pure Python: the Pedersen hash, and ECDSA as Starknet's accounts check it.

Made for lists with a few such rows: a hash takes about a millisecond, a verification a few. The
curve is y² = x³ + x + BETA over the prime field. Nothing here is secret, so nothing needs to run
in constant time.
"""

from __future__ import annotations

from functools import lru_cache

PRIME = 2**251 + 17 * 2**192 + 1
"""Spec: https://docs.starkware.co/starkex/crypto/stark-curve.html"""
ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
GENERATOR = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)
SHIFT = (
    0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804,
    0x3CA0CFE4B3BC6DDF346D49D06EA0ED34E621062C0E056C1D0405D266E10268A,
)
HASH_POINTS = (
    (
        0x234287DCBAFFE7F969C748655FCA9E58FA8120B6D56EB0C1080D17957EBE47B,
        0x3B056F100F96FB21E889527D41F4E39940135DD7A6C94CC6ED0268EE89E5615,
    ),
    (
        0x4FA56F376C83DB33F9DAB2656558F3399099EC1DE5E3018B7A6932DBA8AA378,
        0x3FA0984C931C9E38113E0C0E47E4401562761F92A7A23B45168F4E80FF5B54D,
    ),
    (
        0x4BA4CC166BE8DEC764910F75B45F74B40C690C74709E90F3AA372F0BD2D6997,
        0x40301CF5C1751F4B971E46C4EDE85FCAC5C59A5CE5AE7C48151F27B24B219C,
    ),
    (
        0x54302DCB0E6CC1C6E44CCA8F61A63BB2CA65048D53FB325D36FF12C49A58202,
        0x1B77B3E37D13504B348046268D8AE25CE98AD783C25561A879DCC77E99C2426,
    ),
)
"""P0 to P3; like GENERATOR and SHIFT made from the digits of pi.

Spec: https://docs.starkware.co/starkex/crypto/pedersen-hash-function.html
"""
LIMIT = 2**251
"""r, 1/s and the digest must be below it. Spec: starkware-libs/starkex-resources (signature.py)"""
_LOW_BITS = 248
_LOW = 2**_LOW_BITS - 1

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]
"""(X, Y, Z) stands for (X/Z², Y/Z³); Z = 0 is the point at infinity."""
INFINITY: Jacobian = (1, 1, 0)


def pedersen(left: int, right: int) -> int:
    """Return the Pedersen hash of two field elements; raises ``ValueError`` out of range.

    Spec: https://docs.starkware.co/starkex/crypto/pedersen-hash-function.html
    """
    total: Jacobian = (*SHIFT, 1)
    for position, number in enumerate((left, right)):
        if not 0 <= number < PRIME:
            raise ValueError("not an element of the field")
        for powers, part in (
            (_powers(2 * position), number & _LOW),
            (_powers(2 * position + 1), number >> _LOW_BITS),
        ):
            for index in range(part.bit_length()):
                if part >> index & 1:
                    total = _add_affine(total, powers[index])
    x = x_of(total)
    if x is None:
        raise ValueError("these elements have no hash")
    return x


def pedersen_array(numbers: tuple[int, ...]) -> int:
    """Return the hash of a list: folded from 0 over its elements and then its length."""
    state = 0
    for number in (*numbers, len(numbers)):
        state = pedersen(state, number)
    return state


def y_of(x: int) -> int | None:
    """Return one y of the point with this x, ``None`` where the curve has none."""
    if not 0 <= x < PRIME:
        return None
    square = (x * x * x + x + BETA) % PRIME
    return _square_root(square)


def is_signed(digest: int, r: int, s: int, key: int) -> bool:
    """Tell whether (r, s) is an ECDSA signature of ``digest`` by the key whose x is ``key``.

    As only x is known, either of its two points may have signed. Unlike classic ECDSA, r is
    compared with x itself, not modulo the order.
    Spec: starkware-libs/starkex-resources (crypto/starkware/crypto/signature/signature.py)
    """
    y = y_of(key)
    if y is None or not (1 <= r < LIMIT and 1 <= s < ORDER and 0 < digest < LIMIT):
        return False
    inverse = pow(s, -1, ORDER)
    if not 1 <= inverse < LIMIT:
        return False
    ours = multiply(GENERATOR, digest * inverse % ORDER)
    theirs = multiply((key, y), r * inverse % ORDER)
    mirrored = (theirs[0], -theirs[1] % PRIME, theirs[2])
    return r in (x_of(_add(ours, theirs)), x_of(_add(ours, mirrored)))


def multiply(point: Affine, scalar: int) -> Jacobian:
    """Return ``scalar`` times ``point``."""
    total = INFINITY
    for index in reversed(range(scalar.bit_length())):
        total = _double(total)
        if scalar >> index & 1:
            total = _add_affine(total, point)
    return total


def x_of(point: Jacobian) -> int | None:
    """Return the affine x, ``None`` for the point at infinity."""
    x, _, z = point
    if z == 0:
        return None
    return x * pow(z * z, -1, PRIME) % PRIME


@lru_cache(maxsize=4)
def _powers(index: int) -> tuple[Affine, ...]:
    """Return P, 2P, 4P, … of one of the hash's points."""
    x, y = HASH_POINTS[index]
    found = [(x, y)]
    for _ in range(_LOW_BITS - 1 if index % 2 == 0 else 3):
        slope = (3 * x * x + 1) * pow(2 * y, -1, PRIME) % PRIME
        next_x = (slope * slope - 2 * x) % PRIME
        x, y = next_x, (slope * (x - next_x) - y) % PRIME
        found.append((x, y))
    return tuple(found)


def _double(point: Jacobian) -> Jacobian:
    """Double a point.

    Spec: https://hyperelliptic.org/EFD/g1p/auto-shortw-jacobian.html
    """
    x, y, z = point
    if z == 0 or y == 0:
        return INFINITY
    yy = y * y % PRIME
    s = 4 * x * yy % PRIME
    zz = z * z % PRIME
    m = (3 * x * x + zz * zz) % PRIME
    x3 = (m * m - 2 * s) % PRIME
    return x3, (m * (s - x3) - 8 * yy * yy) % PRIME, 2 * y * z % PRIME


def _add_affine(point: Jacobian, other: Affine) -> Jacobian:
    return _add(point, (*other, 1))


def _add(point: Jacobian, other: Jacobian) -> Jacobian:
    """Add two points.

    Spec: https://hyperelliptic.org/EFD/g1p/auto-shortw-jacobian.html
    """
    x1, y1, z1 = point
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return point
    zz1, zz2 = z1 * z1 % PRIME, z2 * z2 % PRIME
    u1, u2 = x1 * zz2 % PRIME, x2 * zz1 % PRIME
    s1, s2 = y1 * zz2 * z2 % PRIME, y2 * zz1 * z1 % PRIME
    h, r = (u2 - u1) % PRIME, (s2 - s1) % PRIME
    if h == 0:
        return _double(point) if r == 0 else INFINITY
    hh = h * h % PRIME
    hhh, v = h * hh % PRIME, u1 * hh % PRIME
    x3 = (r * r - hhh - 2 * v) % PRIME
    return x3, (r * (v - x3) - s1 * hhh) % PRIME, z1 * z2 * h % PRIME


def _square_root(square: int) -> int | None:
    """Return a square root modulo PRIME by Tonelli and Shanks, ``None`` for a non-residue."""
    if square == 0:
        return 0
    if pow(square, (PRIME - 1) // 2, PRIME) != 1:
        return None
    exponent = 192  # PRIME - 1 = odd * 2^192, and 3 generates the field
    odd = (PRIME - 1) >> exponent
    c, t, root = pow(3, odd, PRIME), pow(square, odd, PRIME), pow(square, (odd + 1) // 2, PRIME)
    while t != 1:
        steps, power = 0, t
        while power != 1:
            power = power * power % PRIME
            steps += 1
        factor = pow(c, 1 << (exponent - steps - 1), PRIME)
        exponent, c = steps, factor * factor % PRIME
        t, root = t * c % PRIME, root * factor % PRIME
    return root
