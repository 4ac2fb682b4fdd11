"""Korean's particles fit the word before them, whatever it is; other languages are chosen once."""

import os
import subprocess
import sys

import pytest

from statelab import language

# How each of these ends when a Korean reads it aloud: with no consonant, with ㄹ, or with another.
NONE = (
    "alice", "dave", "node", "cache", "database", "balancer", "counter", "replica", "store",
    "writer", "client", "right", "left", "board", "log", "disk", "web-2", "shop-4", "chat-5",
    "replica-9", "redis", "zookeeper", "postgres", "user", "HTTP", "TCP", "API", "port", "wait",
    "key", "queue", "포트", "서버", "노드", "로그", "데이터베이스", "2.5", "“alice”",
    "alice(클라이언트)",
)  # fmt: skip
RIEUL = (
    "till", "carol", "original", "table", "file", "URL", "TTL", "SQL", "web-1", "web-7", "shop-8",
    "pool", "tool", "email", "model", "일", "메일", "풀", "테이블", "`till`",
)  # fmt: skip
OTHER = (
    "bob", "shop", "chat", "web", "token", "phone", "laptop", "game", "socket", "basket", "lock",
    "backup", "session", "ann", "writer-3", "web-6", "web-10", "JSON", "python", "dream", "ping",
    "토큰", "세션", "숍", "3.0", "100", "밥", "[토큰]",
)  # fmt: skip
WORDS = [*((word, 0) for word in NONE), *((word, 8) for word in RIEUL), *((w, 1) for w in OTHER)]


@pytest.mark.parametrize(("word", "final"), WORDS)
def test_a_particle_fits_the_word_before_it(word, final):
    said = language.particles(f"{word}은(는) {word}이(가) {word}을(를) {word}과(와) {word}으로(로)")
    forms = ("은", "이", "을", "과", "으로") if final else ("는", "가", "를", "와", "로")
    if final == 8:
        forms = (*forms[:-1], "로")
    assert said == " ".join(word + form for form in forms)


def test_two_hundred_sentences_are_tried():
    assert len(WORDS) * 5 >= 200


def test_a_text_without_particles_stays():
    assert language.particles("서버(웹)는 그대로 (가) 있다.") == "서버(웹)는 그대로 (가) 있다."


def test_a_language_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="there is no 'fr'; there are en"):
        language.speak("fr")
    assert language.spoken("{name} is up", name="web") == "web is up"


def test_an_empty_text_is_empty_in_each_language():
    for name in language.languages():
        try:
            language.speak(name)
            assert language.spoken("") == ""
        finally:
            language.speak(language.ENGLISH)


@pytest.mark.parametrize("wanted", ["", "en", "ko", "xx"])
def test_a_language_that_a_variable_names_is_spoken_or_refused_and_none_is_english(wanted):
    said = subprocess.run(
        [sys.executable, "-c", "from statelab import language as l; print(l.spoken('Right.'))"],
        env={**os.environ, "STATELAB_LANGUAGE": wanted, "PYTHONIOENCODING": "utf-8"},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    if wanted == "xx":
        assert "there is no 'xx'; there are en, ko" in said.stderr
    else:
        assert (said.stdout == "Right.\n") == (wanted != "ko"), said.stderr
