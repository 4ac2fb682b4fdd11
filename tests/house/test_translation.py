"""An edition is the English course in other words: made from catalogs, else the same."""

import string

import pytest

from translation import __main__ as translate
from translation import catalog, edition, same, units

LANGUAGE = "ko"
EDITIONS = translate.LANGUAGES
LESSONS = [path.stem for path in translate.lessons()]


TWINS = edition.twins(
    LANGUAGE, ["a.ipynb", "b.ipynb", "pictures/a.svg"], ("README.md", "docs/glossary.md")
)


def english(name):
    return translate.load(translate.NOTEBOOKS / f"{name}.ipynb")


def translated(name, language):
    return translate.load(translate.NOTEBOOKS / language / f"{name}.ipynb")


# ------------------------------------------------------------------------------- as it is
@pytest.mark.parametrize("language", EDITIONS)
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_the_same_in_both_editions(name, language):
    assert same.differences(english(name), translated(name, language), language) == []


@pytest.mark.parametrize("language", EDITIONS)
def test_every_unit_is_translated_and_none_is_stale(language):
    for name, of_it in translate.sources().items():
        entries = catalog.read(translate.catalog_file(language, name), language)
        assert catalog.missing(entries, of_it) == [], name


@pytest.mark.parametrize("language", EDITIONS)
def test_an_edition_is_what_its_catalogs_make(language):
    assert translate.stale(language) == []


def test_what_a_change_may_show_elsewhere_is_recorded_too():
    files, folder = translate.made(LANGUAGE), translate.NOTEBOOKS / LANGUAGE
    here = f"notebooks/{LANGUAGE}"

    def recorded(path):
        return [path.stem for path in translate.affected(files, [path])]

    assert recorded(f"{here}/00_start_here.ipynb") == ["00_start_here"]
    loaded = recorded(f"{here}/07_write_lease.ipynb")
    assert loaded == ["07_write_lease", "07_write_lease_zookeeper"]
    assert len(recorded(f"statelab/locale/{LANGUAGE}.mo")) == len(list(folder.glob("*.ipynb")))


# ------------------------------------------------------------------------------- departures
def cell(kind, source, name="a", tags=(), shown=""):
    output = [{"output_type": "stream", "name": "stdout", "text": [shown]}] if shown else []
    rest = {"outputs": output, "execution_count": 1} if kind == "code" else {}
    return {
        "cell_type": kind,
        "id": name,
        "metadata": {"tags": [*tags]},
        "source": [source],
        **rest,
    }


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def differences(one, two):
    return " ".join(same.differences(notebook(one), notebook(two), LANGUAGE))


@pytest.mark.parametrize(
    ("kind", "mine", "theirs", "said"),
    [
        ("code", "wait(60)", "wait(61)", "its code differs"),
        ("code", "say('60 orders')", "say('주문 61건')", "other numbers"),
        ("code", "say(f'{n} orders')", "say(f'주문 {m}건')", "other values"),
        ("code", "say(f'{n} orders of {who}')", "say(f'주문 {n}건')", "other values"),
        ("code", "get('/basket')", "get('/bascket')", "is not Korean"),
        ("code", "quiz('Yes?\\n- a\\n+ b')", "quiz('네?\\n+ 가\\n- 나')", "other marks"),
        ("code", "say('hello')", "say('안녕)", "no Python"),
        ("markdown", "It took 2.0 s.", "3.0초 걸립니다.", "numbers differ"),
        ("markdown", "It took ten seconds.", "3초 걸립니다.", "numbers differ"),
        ("markdown", "A **copy** is", "**복제본(copy)**은", "emphasis does not end"),
        ("markdown", "Ask `shop`.", "shop에게 묻습니다.", "code differ"),
        ("markdown", "- one\n- two", "- 하나", "layout differ"),
    ],
)
def test_what_is_no_word_may_not_differ(kind, mine, theirs, said):
    assert said in differences(cell(kind, mine), cell(kind, theirs))


def test_an_outcome_may_not_differ_either():
    mine = cell("code", "run()", shown="60 acknowledged")
    assert "other numbers" in differences(mine, cell("code", "run()", shown="59건 확인 응답"))
    assert differences(mine, cell("code", "run()", shown="60건 확인 응답")) == ""


def test_a_number_in_a_word_may_be_one_in_digits():
    mine = cell("markdown", "It took ten seconds, twice.")
    assert differences(mine, cell("markdown", "두 번, 10초 걸립니다.")) == ""
    mine = cell("markdown", "It took half a second.")
    assert differences(mine, cell("markdown", "꼭 0.5초 걸립니다.")) == ""


def test_words_may_be_others_and_values_may_come_in_another_order():
    mine = cell("code", "# why\nsay(f'{n} of {who}', 'GET')")
    assert differences(mine, cell("code", "# 왜\nsay(f'{who}의 {n}개', 'GET')")) == ""
    assert differences(cell("markdown", "# A *lesson*"), cell("markdown", "# *수업*")) == ""


def test_blanks_between_values_may_be_others_for_no_count_of_them_aligns_hangul():
    mine = cell("code", "say(f'{n:4}  {who}')")
    assert differences(mine, cell("code", "say(f'{who}: {n}')")) == ""
    assert "other values" in differences(mine, cell("code", "say(f'{who}: {who}')"))
    assert "is not Korean" in differences(mine, cell("code", "say(f'{who} has {n}')"))


def test_a_lost_cell_is_named():
    one, two = cell("markdown", "One", "one"), cell("markdown", "Two", "two")
    assert "['two']" in same.differences(notebook(one, two), notebook(one), LANGUAGE)[0]


def test_the_first_cell_speaks_the_language_and_is_else_the_same():
    mine = cell("code", "import statelab\n\nlab.ready()", tags=["setup"])
    made = edition.notebook(notebook(mine), {}, LANGUAGE, "notebooks/a.ipynb", TWINS)
    assert made["cells"][0]["source"][-1] == 'lab.ready("ko")'
    assert differences(mine, made["cells"][0]) == ""


# ------------------------------------------------------------------------------- catalogs
def entries(*of_it, **said):
    made = catalog.updated(catalog.read(translate.ROOT / "none", LANGUAGE), of_it)
    for message in made:
        if message.id:
            message.string = said.get(message.context, "")
    return made


def test_a_changed_unit_is_stale_keeps_its_translation_and_says_of_what_it_was(tmp_path):
    old, new = units.Unit("a", "Kill it.", "markdown"), units.Unit("a", "Pause it.", "markdown")
    fresh = catalog.updated(entries(old, a="죽이세요."), [new])
    catalog.write(tmp_path / "one.po", fresh)
    read = catalog.read(tmp_path / "one.po", LANGUAGE)
    assert catalog.missing(read, [new]) == ["a is stale: its English has changed"]
    assert catalog.said(read) == {}
    text = (tmp_path / "one.po").read_text("utf-8")
    assert '#| msgid "Kill it."' in text
    assert 'msgstr "죽이세요."' in text


def test_what_is_stale_stays_so_when_the_catalogs_are_updated_again(tmp_path):
    new = units.Unit("a", "Pause it,\nthen go on.", "markdown")
    old = units.Unit("a", "Kill it,\nor not.", "markdown")
    catalog.write(tmp_path / "one.po", catalog.updated(entries(old, a="죽이세요."), [new]))
    before = (tmp_path / "one.po").read_bytes()
    again = catalog.updated(catalog.read(tmp_path / "one.po", LANGUAGE), [new])
    catalog.write(tmp_path / "one.po", again)
    assert (tmp_path / "one.po").read_bytes() == before
    assert catalog.missing(again, [new]) == ["a is stale: its English has changed"]


def test_what_is_mended_no_longer_says_of_what_it_was(tmp_path):
    old, new = units.Unit("a", "Kill it.", "markdown"), units.Unit("a", "Kill both.", "markdown")
    fresh = catalog.updated(entries(old, a="죽이세요."), [new])
    fresh.get(new.text, "a").flags.discard("fuzzy")
    again = catalog.updated(fresh, [new])
    assert catalog.missing(again, [new]) == []
    assert again.get(new.text, "a").previous_id == []


def test_a_unit_that_has_only_moved_is_not_stale():
    one, two = units.Unit("001", "One.", "markdown"), units.Unit("002", "Two.", "markdown")
    new = units.of_page("Zero.\n\nOne.\n\nTwo.\n")
    fresh = catalog.updated(entries(one, two, **{"001": "하나.", "002": "둘."}), new)
    assert catalog.missing(fresh, new) == ["001 is stale: its English has changed"]
    assert catalog.said(fresh) == {"002": "하나.", "003": "둘."}


def test_a_unit_without_translation_and_one_that_is_no_more_are_named():
    a, b = units.Unit("a", "One.", "markdown"), units.Unit("b", "Two.", "markdown")
    assert catalog.missing(entries(a), [a]) == ["a is not translated"]
    assert catalog.missing(entries(a, b, a="하나.", b="둘."), [a]) == [
        "b is translated, and is no more"
    ]


def test_what_changes_nothing_changes_no_file(tmp_path):
    some = [units.Unit("a", "One,\ntwo.", "markdown"), units.Unit("Kill", "Kill", "words")]
    catalog.write(tmp_path / "one.po", entries(*some, a="하나,\n둘."))
    before = (tmp_path / "one.po").read_bytes()
    again = catalog.updated(catalog.read(tmp_path / "one.po", LANGUAGE), some)
    catalog.write(tmp_path / "one.po", again)
    assert (tmp_path / "one.po").read_bytes() == before


# ------------------------------------------------------------------------------- units
def test_code_is_a_unit_if_a_person_reads_words_in_it():
    assert units.has_words("x = 1  # why")
    assert units.has_words("say('hello')")
    assert not units.has_words("panel_1")
    assert not units.has_words("say('x', 1)")


def test_a_page_is_its_blocks_and_code_is_one_of_them():
    page = "# A\n\nb\n\n```python\nc\n\nd\n```\n\n| e |\n|---|\n"
    found = units.blocks(page)
    assert found == ["# A", "b", "```python\nc\n\nd\n```", "| e |\n|---|"]
    assert "\n\n".join(found) + "\n" == page


def test_a_picture_is_redrawn_with_the_same_lines_and_other_words():
    drawing = '<svg><title>A kill</title><path d="M0 0"/><text x="1">who &amp; what</text></svg>'
    assert [unit.key for unit in units.of_picture("one", drawing)] == ["one:1", "one:2"]
    drawn = units.redrawn("one", drawing, {"one:2": "누가 & 무엇을"})
    assert drawn == drawing.replace("who &amp; what", "누가 &amp; 무엇을")


def test_addresses_lead_to_the_sister_and_to_what_both_share():
    def moved(text, path="notebooks/a.ipynb"):
        return edition.addressed(text, LANGUAGE, path, TWINS)

    assert moved("[next](b.ipynb#x)") == "[next](b.ipynb#x)"
    assert moved("![x](pictures/a.svg)") == "![x](pictures/a.svg)"
    assert moved("![x](pictures/b.svg)") == "![x](../pictures/b.svg)"
    assert moved("[x](../docs/glossary.md)") == "[x](../../docs/ko/glossary.md)"
    assert moved("[한국어](ko/a.ipynb)") == "[한국어](../a.ipynb)"
    assert moved("[x](https://a.org/x?labpath=notebooks%2Fa.ipynb)") == (
        "[x](https://a.org/x?labpath=notebooks%2Fko%2Fa.ipynb)"
    )
    assert moved("[x](https://a.org/x#y)") == "[x](https://a.org/x#y)"
    assert moved("[a](notebooks/a.ipynb)", "README.md") == "[a](notebooks/ko/a.ipynb)"
    assert moved("[a](../README.md)", "docs/glossary.md") == "[a](../../README.ko.md)"


def test_each_lesson_leads_to_its_sister_by_her_language():
    for path in sorted((translate.ROOT / "notebooks").glob("*.ipynb")):
        assert f"[한국어](ko/{path.name})" in path.read_text(encoding="utf-8")
        sister = path.parent / "ko" / path.name
        assert f"[English](../{path.name})" in sister.read_text(encoding="utf-8")


def test_what_the_package_says_is_found_where_it_is_written():
    from translation import words

    code = 'spoken("a {b}", b=1)\nmarked("c", "d")\nspoken(row.kind)\nother("e")'
    assert words._in_python(code) == ["a {b}", "c", "d"]
    with pytest.raises(ValueError, match="spoken wants"):
        words._in_python('spoken(f"a {b}")')


def fields(text):
    """The names of a text's gaps."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", EDITIONS)
def test_what_the_package_says_has_the_same_gaps_in_each_language(language):
    path = translate.catalog_file(language, translate.PACKAGE)
    for message in catalog.read(path, language):
        if message.id:
            wanted = {"number" if name == "nth" else name for name in fields(message.id)}
            assert fields(message.string) == wanted
