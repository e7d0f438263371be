from feilun.config import FeilunSettings
from feilun.train.recipe import settle_recipe


def settings(**tune):
    return FeilunSettings.model_validate({"project": {"name": "p"}, "train": {"tune": tune}})


def recipe(made, n_examples, n_classes=20):
    tune = settle_recipe(made, n_examples=n_examples, n_classes=n_classes).train.tune
    return tune.epochs, tune.learning_rate, tune.token_drop


def test_many_examples_have_a_recipe_of_their_own():
    made = settings(epochs=3, learning_rate=2e-4, token_drop=0.1, many={"epochs": 5, "token_drop": 0.3})
    assert recipe(made, 1999) == (3, 2e-4, 0.1)
    assert recipe(made, 2000) == (5, 3e-4, 0.3)


def test_few_examples_of_few_classes_have_a_recipe_of_their_own_in_which_every_layer_learns():
    made = settings(few={"max_rows": 300, "max_classes": 3, "epochs": 9})
    assert recipe(made, 300, 3) == (9, 1e-4, 0.1)
    assert settle_recipe(made, n_examples=300, n_classes=3).train.tune.frozen_fraction == 0
    assert recipe(made, 301, 3) == recipe(made, 300, 4) == (3, 2e-4, 0.1)
    assert recipe(settings(few={"max_rows": 0}), 10, 2) == (3, 2e-4, 0.1)


def test_a_settled_recipe_stays_as_it_is():
    once = settle_recipe(settings(), n_examples=10_000, n_classes=20)
    assert settle_recipe(once, n_examples=10_000, n_classes=20) == once


def test_the_recipe_for_many_examples_is_not_stopped_early_unless_asked():
    tune = settle_recipe(settings(patience=1, many={"epochs": 6}), n_examples=5000, n_classes=20).train.tune
    assert tune.epochs <= tune.patience
