import numpy as np
import pytest

from sknneuron._seeds import first_draw, seed_of


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_first_draw_is_that_of_a_fresh_generator(seed):
    fresh = np.random.RandomState(seed)
    assert first_draw(seed) == fresh.randint(np.iinfo(np.int32).max)


def test_seed_is_the_same_for_an_int_and_another_each_time_for_a_generator():
    generator = np.random.RandomState(3)
    assert seed_of(3) == seed_of(np.int64(3)) == seed_of(generator)
    assert seed_of(generator) != seed_of(3)
