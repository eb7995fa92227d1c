from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine.report.figures import picture, text
from fullshelf.engine.report.markup import Column, Html, join, table, tag, users


class Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.words, self.attributes = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data


# what a person can write, line ends apart (HTML reads all of them as \n)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@settings(max_examples=100, deadline=None)
@given(WORDS, WORDS)
def test_words_come_out_of_the_page_as_they_went_in(words, attribute):
    page = Reader(tag("p", words, users(words, 100), css=attribute or "x"))
    assert page.tags == ["p", "bdi"]
    assert page.words == words * 2
    assert page.attributes[0] == ("class", attribute or "x")


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_words_in_a_picture_stay_words(words):
    page = Reader(picture(10, 10, words, [text(0, 0, words)]))
    assert page.tags == ["svg", "text"]
    assert page.words == words
    assert ("aria-label", words) in page.attributes


@given(st.text(max_size=300), st.integers(2, 90))
def test_long_words_are_cut(words, limit):
    shown = Reader(users(words, limit)).words
    assert len(shown) <= max(limit, 1)


def test_control_characters_become_visible():
    assert users("a\x00b\x1bc") == "<bdi>a\ufffdb\ufffdc</bdi>"


def test_only_markup_goes_out_as_it_is():
    assert join(Html("<b>"), "<b>") == "<b>&lt;b&gt;"


def test_a_table_heads_its_rows_and_columns():
    got = table([Column("name"), Column("units", number=True, spare=True)], [["tea", "3"]])
    assert '<th class="number spare" scope="col">units</th>' in got
    assert '<th scope="row">tea</th><td class="number spare">3</td>' in got
