from feilun.config import FeilunSettings
from feilun.train.recipe import settle_recipe


def settings(**tune):
    return FeilunSettings.model_validate({"project": {"name": "p"}, "train": {"tune": tune}})


def recipe(made, n_examples):
    tune = settle_recipe(made, n_examples=n_examples).train.tune
    return tune.epochs, tune.learning_rate, tune.token_drop


def test_many_examples_have_a_recipe_of_their_own():
    made = settings(epochs=3, learning_rate=2e-4, token_drop=0.1, many={"epochs": 5, "token_drop": 0.3})
    assert recipe(made, 1999) == (3, 2e-4, 0.1)
    assert recipe(made, 2000) == (5, 3e-4, 0.3)


def test_a_settled_recipe_stays_as_it_is():
    once = settle_recipe(settings(), n_examples=10_000)
    assert settle_recipe(once, n_examples=10_000) == once


def test_the_recipe_for_many_examples_is_not_stopped_early_unless_asked():
    tune = settle_recipe(settings(patience=1, many={"epochs": 6}), n_examples=5000).train.tune
    assert tune.epochs <= tune.patience
