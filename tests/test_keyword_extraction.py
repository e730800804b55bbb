from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest

from recsys_interest.chat import ChatEndpoint
from recsys_interest.keyword_extraction import CountedKeywords, KeywordError, LLMKeywords
from recsys_interest.keywords import class_tfidf

TEXTS = pd.Series(["A red tent", "A red stove", ""], index=["a", "b", "c"])


def test_counted_keywords_are_class_tfidf_with_a_class_for_each_text():
    texts = pd.Series(["red wine", "white wine", "red car", "fast car", "fast red wine wine"])
    found = CountedKeywords(top=3).fit(texts).transform(texts)
    assert found.tolist() == class_tfidf(texts, pd.Series(range(5)), top=3).tolist()


def test_counted_keywords_of_unseen_words_and_blank_texts():
    model = CountedKeywords(top=2).fit(["red wine", "red car"])
    found = model.transform(pd.Series(["red novel", None, "1995"], index=[3, 4, 5]))
    assert found.to_dict() == {3: ["novel", "red"], 4: [], 5: []}
    assert model.transform([]).empty
    assert CountedKeywords().fit(["", "the"]).transform(["wine"]).tolist() == [["wine"]]


def test_of_overlapping_chinese_ngrams_only_the_best_is_kept():
    texts = ["机器学习", "帐篷，红色帐篷", "深度学习"]
    found = CountedKeywords(top=3).fit(texts).transform(texts)
    assert found[1] == ["帐篷"] or "帐篷" in found[1][0]
    for words in found:
        pairs = [w[i : i + 2] for w in words for i in range(len(w) - 1)]
        assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("top", [0, 1.5])
def test_a_bad_top_is_named(top):
    for model in (CountedKeywords(top), LLMKeywords(str, top=top)):
        with pytest.raises((TypeError, ValueError), match="top must be"):
            model.fit(["red"])


def answers(*texts):
    """Return a model that gives these answers in turn, and the list of prompts it was given."""
    left, asked = list(texts), []

    def complete(prompt):
        asked.append(prompt)
        return left.pop(0)

    return complete, asked


GOOD = '{"keywords": ["tent", "camping"]}'


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"Sure!\n```json\n{GOOD}\n```",
        '{"keywords": [" tent\\n", "Tent", "camping", "third"], "more": 1}',
    ],
)
def test_a_usable_answer_is_found_in_what_models_write(answer):
    complete, asked = answers(answer, '{"keywords": []}')
    found = LLMKeywords(complete, top=2).transform(TEXTS)
    assert found.to_dict() == {"a": ["tent", "camping"], "b": [], "c": []}
    assert len(asked) == 2  # the blank text is not asked for
    assert "A red tent" in asked[0]
    assert "at most 2" in asked[0]


BAD = {
    "I cannot do that.": "the answer is not JSON",
    '{"keywords": ["tent"': "the answer is not JSON",
    '["tent"]': "the answer is not JSON",
    '{"topics": ["tent"]}': 'no list of texts under "keywords"',
    '{"keywords": "tent"}': 'no list of texts under "keywords"',
    '{"keywords": ["tent", 3]}': 'no list of texts under "keywords"',
    '{"keywords": ["tent", " "]}': "a keyword has 1 to 60 characters",
    f'{{"keywords": ["{"very " * 20}long"]}}': "a keyword has 1 to 60 characters",
    "{" * 100_000 + "}": "the answer is not JSON",
    None: "the answer is not text but NoneType",
}


@pytest.mark.rows("F03")
@pytest.mark.parametrize(("answer", "message"), BAD.items())
def test_a_bad_answer_is_refused_asked_again_and_named(answer, message):
    complete, asked = answers(answer, GOOD)
    assert LLMKeywords(complete).transform(TEXTS[:1]).tolist() == [["tent", "camping"]]
    assert message in asked[1]
    with pytest.raises(KeywordError, match=f"no keywords for the text at index 'a': .*{message}"):
        LLMKeywords(lambda prompt: answer).transform(TEXTS)


def test_the_fallback_answers_where_the_model_cannot():
    complete, _ = answers("no", "no", GOOD)
    counted = CountedKeywords().fit(TEXTS)
    model = LLMKeywords(complete, fallback=counted)
    assert model.transform(TEXTS).to_dict() == {
        "a": ["tent", "red"],
        "b": ["tent", "camping"],
        "c": [],
    }
    assert model.failures_.index.tolist() == ["a"]
    assert "not JSON" in model.failures_["a"]
    assert model.n_asked_ == 3


@pytest.mark.rows("F03")
def test_the_cache_answers_without_the_model(tmp_path):
    cache = tmp_path / "answers.jsonl"
    complete, asked = answers("no", GOOD, '{"keywords": ["炉子\\u2028", "stove"]}')
    first = LLMKeywords(complete, model="m", cache=cache).transform(TEXTS)
    assert len(asked) == 3
    assert [sorted(json.loads(line)) for line in cache.read_text("utf-8").split("\n")[:-1]] == [
        ["answer", "key", "model"]
    ] * 2
    replay = LLMKeywords(model="m", cache=cache)
    pd.testing.assert_series_equal(replay.transform(TEXTS.iloc[::-1]).iloc[::-1], first)
    assert replay.n_asked_ == 0
    for other in ({"model": "n"}, {"model": "m", "top": 3}):
        with pytest.raises(KeywordError, match="not in the cache, and there is no model"):
            LLMKeywords(cache=cache, **other).transform(TEXTS)


def test_a_broken_cache_is_named(tmp_path):
    cache = tmp_path / "answers.jsonl"
    cache.write_text('{"key": "1", "answer": "x"}\n{"key": "2", "ans', encoding="utf-8")
    with pytest.raises(OSError, match=r"answers\.jsonl, line 2 is not an answer; delete that line"):
        LLMKeywords(cache=cache).transform(TEXTS)


def test_equal_texts_are_asked_for_once():
    complete, asked = answers(GOOD)
    assert len(LLMKeywords(complete).transform(["tent"] * 5)) == 5
    assert len(asked) == 1


def test_neither_model_nor_cache_is_an_error():
    with pytest.raises(ValueError, match="give complete, a function that asks a model, or a cache"):
        LLMKeywords().transform(TEXTS)
    with pytest.raises(TypeError, match="complete must be a function of a prompt, got 'gpt'"):
        LLMKeywords("gpt").fit()


@pytest.fixture
def server():
    """Serve the chat format on this machine; `replies` holds (status, body) in turn."""
    seen, replies = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            status, reply = replies.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(reply.encode())

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1/", seen, replies
        running.shutdown()
        thread.join()


def chat(text):
    return 200, json.dumps({"choices": [{"message": {"content": text}}]})


def test_an_endpoint_is_asked_in_the_chat_format(server):
    url, seen, replies = server
    replies += [chat("hm"), chat(GOOD), chat(GOOD)]
    endpoint = ChatEndpoint(url, "tiny", api_key="secret")
    found = LLMKeywords(endpoint).transform(TEXTS)
    assert found["a"] == found["b"] == ["tent", "camping"]
    path, key, body = seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert (body["model"], body["temperature"]) == ("tiny", 0)
    assert "A red tent" in body["messages"][0]["content"]
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((500, "out of memory"), "chat/completions refused: 500"),
        ((200, "<html>"), "answers in another format"),
        ((200, '{"choices": []}'), "answers in another format: IndexError"),
        ((200, "[]"), "answers in another format: TypeError"),
        (chat(None), "answers in another format: no text"),
    ],
)
def test_a_broken_endpoint_is_named(server, reply, message):
    url, seen, replies = server
    replies.append(reply)
    with pytest.raises(ConnectionError, match=message):
        LLMKeywords(ChatEndpoint(url, "tiny")).transform(TEXTS)
    assert seen[0][1] is None


def test_an_endpoint_that_is_not_there_is_named():
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        url = f"http://127.0.0.1:{gone.server_port}/v1"
    with pytest.raises(ConnectionError, match="did not answer"):
        ChatEndpoint(url, "tiny", timeout=5)("hello")
    with pytest.raises(ValueError, match="url must begin with http:// or https://, got 'file:"):
        ChatEndpoint("file:///etc/hosts", "tiny")


def test_rarity_is_the_formula():
    model = CountedKeywords().fit(["red red wine", "red"])
    np.testing.assert_allclose(model.rarity_[["red", "wine"]], np.log1p([2 / 3, 2 / 1]))
