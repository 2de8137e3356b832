"""A linear classifier of texts: it decides as scikit-learn does, and keeps its bits on disk."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from genlab.core.program import InputError
from genlab.text.classifier import Features, load_classifier, save_classifier, train_classifier

FEATURES = Features(word_ngrams=2, char_ngrams=4, min_texts=1, max_features=2000)
TEXTS = ["вкусно и уютно", "очень вкусно", "грязно и долго", "очень грязно", "так себе", "сойдёт"]
STARS = [5, 5, 1, 1, 3, 3]


def train(texts=TEXTS, classes=STARS, features=FEATURES, inverse_penalty=1.0, balanced=True):
    return train_classifier(
        texts, classes, features, inverse_penalty, balanced, "reviews", "classify.min_texts"
    )


@pytest.mark.parametrize("balanced", [True, False])
def test_a_classifier_decides_as_scikit_learn_does(balanced):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    classes = [5, 5, 5, 1, 1, 3]
    words = TfidfVectorizer(
        token_pattern=r"\w+", ngram_range=(1, 2), max_features=2000, sublinear_tf=True
    )
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), max_features=2000, sublinear_tf=True
    )
    weighting = "balanced" if balanced else None
    model = LogisticRegression(C=2.0, class_weight=weighting, max_iter=1000)
    expected = make_pipeline(make_union(words, characters), model).fit(TEXTS, classes)
    made = train(classes=classes, inverse_penalty=2.0, balanced=balanced)
    asked = [*TEXTS, "очень уютно", "грязно и вкусно и вкусно"]
    assert np.array_equal(made.scores(asked), expected.decision_function(asked))
    assert made.predict(asked) == expected.predict(asked).tolist()


def test_of_two_classes_the_second_score_is_the_log_odds_of_the_second():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, moods = ["Don't go", "go away", "go, GO!", "do go c++"], [0, 0, 1, 1]
    # In normal form "Don't" is one word, dont, and c++ is not c; here they are written so.
    written = TfidfVectorizer(analyzer=str.split)
    expected = make_pipeline(written, LogisticRegression()).fit(
        ["dont go", "go away", "go go", "do go c++"], moods
    )
    features = Features(1, 0, 1, 0, sublinear_tf=False, normal_form=True)
    made = train(texts, moods, features, balanced=False)
    scores = made.scores(["DON\u2019T go go", "c"])
    assert scores[:, 1] == pytest.approx(expected.decision_function(["dont go go", "c"]), abs=1e-15)
    assert np.array_equal(scores[:, 0], -scores[:, 1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_saved_classifier_gives_the_same_numbers_to_the_last_bit(tmp_path, n_classes):
    made = train(TEXTS[: 2 * n_classes], STARS[: 2 * n_classes])
    save_classifier(made, tmp_path, "rating")
    loaded = load_classifier(tmp_path, "rating")
    assert loaded.predict(TEXTS) == made.predict(TEXTS)
    assert made.predict(TEXTS[: 2 * n_classes]) == STARS[: 2 * n_classes]
    assert np.array_equal(loaded.find_terms(TEXTS).toarray(), made.find_terms(TEXTS).toarray())
    assert np.array_equal(loaded.scores(TEXTS), made.scores(TEXTS))
    assert np.array_equal(loaded.weights, made.weights)
    assert loaded.weights.shape[0] == n_classes


def test_a_text_without_a_known_word_has_no_class():
    made = train(features=Features(1, 0, 1, 100))
    assert made.predict(["", "xyz", "вкусно"]) == [None, None, 5]
    assert made.predict([]) == []


def test_only_the_most_frequent_words_are_seen_and_with_0_all():
    assert train(features=Features(1, 0, 1, 2)).terms["word"] == ["вкусно", "грязно"]
    assert len(train(features=Features(1, 0, 1, 0)).terms["word"]) == 9


def test_a_classifier_that_is_not_there_is_none_and_a_cut_or_foreign_file_is_refused(tmp_path):
    assert load_classifier(tmp_path, "rating") is None
    save_classifier(train(), tmp_path, "rating")
    numbers = tmp_path / "rating.safetensors"
    whole = numbers.read_bytes()
    numbers.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"rating.json: not a whole classifier .*dvc repro"):
        load_classifier(tmp_path, "rating")
    np.savez(tmp_path / "pickle.npz", weights=np.array([{}], dtype=object))
    numbers.write_bytes((tmp_path / "pickle.npz").read_bytes())
    with pytest.raises(InputError, match="not a whole classifier"):
        load_classifier(tmp_path, "rating")
    wrong = {"weights": np.zeros((3, 2)), "bias": np.zeros(3)}
    save_file(wrong | {"idf_word": np.ones(1), "idf_char": np.ones(1)}, numbers)
    with pytest.raises(InputError, match="do not fit"):
        load_classifier(tmp_path, "rating")
    numbers.write_bytes(whole)
    (tmp_path / "rating.json").write_text("[]")
    with pytest.raises(InputError, match="not a whole classifier"):
        load_classifier(tmp_path, "rating")


def test_texts_without_a_shared_word_are_an_error_that_names_the_key():
    with pytest.raises(InputError, match=r"no word stands in 3 reviews .*lower classify.min_texts"):
        train(["раз", "два"], [1, 2], Features(1, 0, 3, 10))
