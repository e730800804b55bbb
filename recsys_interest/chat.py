"""A language model behind an address, asked over the network.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field

__all__ = ["ChatEndpoint"]


@dataclass(frozen=True)
class ChatEndpoint:
    """A language model behind an address that speaks the chat format of OpenAI.

    Local servers such as llama.cpp, vLLM and Ollama do. Call it with a prompt.

    Parameters
    ----------
    url : str
        Up to and including the version, for example ``"http://localhost:8080/v1"``.
    model : str
        What the server calls the model.
    api_key : str, optional
        Sent as a bearer token; never shown.
    timeout : float, default 60
        Seconds to wait for an answer.
    max_tokens : int, default 200
        Length of an answer.

    Raises
    ------
    ValueError
        If `url` is not an address on http or https.

    Notes
    -----
    The texts leave this machine if the address does. Chapter 02, "Text and keywords".

    Examples
    --------
    >>> ask = ChatEndpoint("http://localhost:8080/v1", "qwen")
    >>> ask("Name a keyword of this text: a tent for two")  # doctest: +SKIP
    'camping'
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    max_tokens: int = 200

    def __post_init__(self) -> None:
        if not str(self.url).startswith(("http://", "https://")):
            raise ValueError(f"url must begin with http:// or https://, got {self.url!r}")

    def __call__(self, prompt: str) -> str:
        """Return the model's answer.

        Parameters
        ----------
        prompt : str
            What to ask.

        Returns
        -------
        str
            The text of the answer.

        Raises
        ------
        ConnectionError
            If the server is not there, refuses, or answers in another format.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        headers = {"Content-Type": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        address = self.url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                answer = json.load(response)["choices"][0]["message"]["content"]
        except urllib.error.HTTPError as error:
            error.close()
            raise ConnectionError(f"{address} refused: {error.code} {error.reason}") from None
        except (urllib.error.URLError, TimeoutError) as error:
            raise ConnectionError(f"{address} did not answer: {error}") from None
        except (ValueError, LookupError, TypeError) as error:
            raise ConnectionError(f"{address} answers in another format: {error!r}") from None
        if not isinstance(answer, str):
            raise ConnectionError(f"{address} answers in another format: no text")
        return answer
