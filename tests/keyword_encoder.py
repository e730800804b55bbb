"""An encoder that counts words: no model, so that tests of the road are fast and exact."""

from __future__ import annotations

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import HashingVectorizer


class KeywordEncoder(TransformerMixin, BaseEstimator):
    def __init__(self, n_features: int = 64):
        self.n_features = n_features

    def transform(self, texts):
        hashed = HashingVectorizer(n_features=self.n_features, alternate_sign=False)
        rows = hashed.transform(texts).toarray().astype("float32")
        return pd.DataFrame(rows, index=texts.index)
