# SPDX-License-Identifier: Apache-2.0
"""Subsets."""

import operator

import pytest
import selsnap
from conftest import BLOCK, ORIGIN
from hypothesis import given, settings
from hypothesis import strategies as st


def of(*blocks):
    return selsnap.Subset(ORIGIN, BLOCK, [(number * BLOCK, BLOCK) for number in blocks])


def test_subset_algebra():
    low, high = of(0, 1, 2), of(2, 3)
    assert low | high == of(0, 1, 2, 3) and low & high == of(2) and low - high == of(0, 1) and low ^ high == of(0, 1, 3)
    assert (~low).block_count == ORIGIN // BLOCK - 3 and ~~low == low
    assert low == of(0, 1, 2), "operators without assignment change nothing"
    low |= high
    low -= of(1)
    low &= of(0, 1, 2)
    assert list(low) == [(0, BLOCK), (2 * BLOCK, BLOCK)]
    assert (low.block_count, low.byte_count, low.range_count) == (2, 2 * BLOCK, 2)
    assert low.contains(0, BLOCK) and not low.contains(0, BLOCK + 1) and 2 * BLOCK in low and BLOCK not in low
    low.add(BLOCK - 1, 2)  # rounded outward
    assert list(low) == [(0, 3 * BLOCK)] and next(iter(low)).end == 3 * BLOCK
    low.remove(1, 3 * BLOCK - 1)  # a block touched in part stays
    assert list(low) == [(0, BLOCK)]
    low.complement()
    assert low == ~of(0)
    assert not of() and of(1) and of(1) != "a subset"
    with pytest.raises(selsnap.RangeError):
        low.add(ORIGIN, 1)


def test_subset_sizes_differ():
    with pytest.raises(selsnap.InvalidError):
        of(0).__ior__(selsnap.Subset(2 * ORIGIN, BLOCK))
    with pytest.raises(selsnap.InvalidError):
        selsnap.Subset(ORIGIN, 1000)


def test_subset_of_context(ss):
    assert ss.subset([(10, 1)]) == of(0) and (~ss.subset()).byte_count == ss.size


SMALL = 10 * BLOCK + 1  # eleven blocks, the last of one byte
blocks = st.sets(st.integers(0, 10))


def small(numbers):
    return selsnap.Subset(SMALL, BLOCK, [(number * BLOCK, 1) for number in numbers])


@settings(deadline=None, database=None, derandomize=True)
@given(blocks, blocks, st.sampled_from([operator.or_, operator.and_, operator.sub, operator.xor]))
def test_subset_beside_set(left, right, operation):
    made = operation(small(left), small(right))
    expected = operation(left, right)
    assert made == small(expected) and bool(made) == bool(expected) and made.block_count == len(expected)
    assert made.byte_count == sum(1 if number == 10 else BLOCK for number in expected) == sum(each.length for each in made)
    assert ~made == small(set(range(11)) - expected) and made.copy() == made
    assert {number for number in range(11) if number * BLOCK in made} == expected
