"""Every ERROR that needs no fit: the rule, its line, subject and hint.

Each case is a file with one fault in it; the sound file below has none.
"""

from collections.abc import Callable

import pytest

from imak_pkpd.data import Dataset, errors

Read = Callable[..., Dataset]

HEADER = "ID,TIME,EVID,AMT,RATE,DUR,ADDL,II,SS,CMT,DV,MDV"
DOSE = "1,0,1,100,0,0,0,0,0,1,.,1"
SAMPLE = "1,2,0,0,0,0,0,0,0,1,5.5,0"
PLACE = {name: index for index, name in enumerate(HEADER.split(","))}


def changed(row: str, **cells: str) -> str:
    """The row with other cells."""
    parts = row.split(",")
    for name, cell in cells.items():
        parts[PLACE[name]] = cell
    return ",".join(parts)


def table(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def only_error(dataset: Dataset) -> tuple[str, int | None, str | None]:
    """Rule, line and subject of the one error, which must have a hint."""
    found = errors(dataset.findings)
    assert [finding.rule for finding in found] == [found[0].rule], found
    assert found[0].hint
    assert found[0].message
    return found[0].rule, found[0].line, found[0].subject


def test_sound_file_has_no_findings(read: Read) -> None:
    assert read(table(DOSE, SAMPLE)).findings == ()


@pytest.mark.parametrize("name", ["ID", "TIME", "DV"])
def test_missing_column(read: Read, name: str) -> None:
    dataset = read(table(DOSE, SAMPLE).replace(name, "other", 1))
    assert only_error(dataset) == ("COLUMN-MISSING", 1, None)
    assert f"'{name}'" in dataset.findings[0].message
    assert len(dataset.line) == 0


def test_missing_column_names_the_nearest(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE).replace("TIME", "time"))
    assert 'columns = { TIME = "time" }' in dataset.findings[0].hint


def test_missing_declared_columns(read: Read) -> None:
    text = table(DOSE, SAMPLE)
    for settings in (
        {"covariates": {"WT": "locf"}},
        {"columns": {"RATE": "WT"}},
        {"exclude": [{"column": "WT", "equals": 1, "reason": "test"}]},
        {"extra": ("WT",)},
    ):
        assert only_error(read(text, **settings)) == ("COLUMN-MISSING", 1, None)


def test_duplicated_header(read: Read) -> None:
    text = table(DOSE, SAMPLE).replace("MDV", "DV", 1)
    assert only_error(read(text)) == ("HEADER-DUPLICATE", 1, None)


@pytest.mark.parametrize("row", [SAMPLE + ",1", SAMPLE[:-2]])
def test_ragged_row(read: Read, row: str) -> None:
    dataset = read(table(DOSE, row, SAMPLE))
    assert only_error(dataset) == ("ROW-RAGGED", 3, None)
    assert list(dataset.line) == [2, 4]


@pytest.mark.parametrize(
    "cell", ["2.1x", "0x1F", "1_0", "5\0", "nan", "٣", "1e", "--1"]
)
@pytest.mark.parametrize("name", ["TIME", "DV", "AMT", "EVID"])
def test_text_in_a_number_column(read: Read, name: str, cell: str) -> None:
    found = only_error(read(table(DOSE, SAMPLE, changed(SAMPLE, **{name: cell}))))
    is_time_nan = (name, cell) == ("TIME", "nan")
    assert found == ("TIME-FINITE" if is_time_nan else f"{name}-NUM", 4, "1")


def test_printed_as_promised(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE, SAMPLE, SAMPLE, changed(SAMPLE, DV="abc")))
    assert errors(dataset.findings)[0].text("pk.csv") == (
        "pk.csv:6: [DV-NUM] subject 1: DV is 'abc' (a number was expected)"
    )


def test_decimal_comma(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE).replace("5.5", '"5,5"'))
    assert only_error(dataset) == ("DECIMAL-COMMA", 3, "1")


def test_decimal_comma_without_quotes_is_ragged(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE).replace("5.5", "5,5"))
    assert only_error(dataset) == ("ROW-RAGGED", 3, None)
    assert "decimal comma" in dataset.findings[0].hint


def test_decimal_comma_in_a_covariate(read: Read) -> None:
    text = 'ID,TIME,DV,WT\n1,0,1,"70,5"\n1,1,1,"70,5"\n'
    rules = {f.rule for f in errors(read(text, covariates={"WT": "locf"}).findings)}
    assert "DECIMAL-COMMA" in rules


def test_semicolons(read: Read) -> None:
    rules = {f.rule for f in errors(read("ID;TIME;DV\n1;0;1\n").findings)}
    assert "DELIMITER" in rules


@pytest.mark.parametrize("cell", ["NaN", "inf", "-Infinity"])
def test_time_not_finite(read: Read, cell: str) -> None:
    dataset = read(table(DOSE, changed(SAMPLE, TIME=cell)))
    assert only_error(dataset) == ("TIME-FINITE", 3, "1")


def test_time_missing(read: Read) -> None:
    dataset = read(table(DOSE, changed(SAMPLE, TIME=".")))
    assert only_error(dataset) == ("TIME-MISSING", 3, "1")


def test_id_missing(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE, changed(SAMPLE, ID=".", TIME="3"), SAMPLE))
    assert ("ID-MISSING", 4) in {(f.rule, f.line) for f in errors(dataset.findings)}


def test_nul_byte_in_an_id(read: Read) -> None:
    dataset = read(table(changed(DOSE, ID="a\0b"), changed(SAMPLE, ID="a\0b")))
    assert {f.rule for f in errors(dataset.findings)} == {"NUL-BYTE"}


def test_time_runs_backwards(read: Read) -> None:
    dataset = read(table(DOSE, SAMPLE, changed(SAMPLE, TIME="1")))
    assert only_error(dataset) == ("TIME-ORDER", 4, "1")


@pytest.mark.parametrize(("evid", "amt"), [("3", "0"), ("4", "100")])
def test_time_may_restart_at_a_reset(read: Read, evid: str, amt: str) -> None:
    restart = changed(DOSE, EVID=evid, AMT=amt, TIME="-1")
    assert errors(read(table(DOSE, SAMPLE, restart)).findings) == []


def test_id_comes_back(read: Read) -> None:
    other = [changed(DOSE, ID="2"), changed(SAMPLE, ID="2")]
    text = table(DOSE, SAMPLE, *other, changed(SAMPLE, TIME="3"))
    assert only_error(read(text)) == ("ID-RETURNS", 6, "1")


def test_id_that_comes_back_can_be_joined(read: Read) -> None:
    samples = [changed(SAMPLE, ID=who) for who in "12"]
    text = table(DOSE, changed(DOSE, ID="2"), *samples, changed(DOSE, TIME="1"))
    dataset = read(text, returning_id="join")
    assert dataset.findings == ()
    assert list(dataset.line) == [2, 6, 4, 3, 5]  # in order of time within a subject
    assert dataset.subject == ("1", "1", "1", "2", "2")


def test_joined_id_with_a_reset_keeps_file_order(read: Read) -> None:
    reset = changed(DOSE, EVID="4", TIME="0")
    text = table(DOSE, SAMPLE, changed(DOSE, ID="2"), changed(SAMPLE, ID="2"), reset)
    dataset = read(text, returning_id="join")
    assert list(dataset.line) == [2, 3, 6, 4, 5]
    assert errors(dataset.findings) == []


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("AMT-EVID", changed(SAMPLE, AMT="10")),
        ("AMT-NEG", changed(DOSE, AMT="-10", TIME="2")),
        ("AMT-ZERO", changed(DOSE, AMT="0", TIME="2")),
        ("AMT-ZERO", changed(DOSE, AMT=".", TIME="2", EVID="4")),
        ("AMT-ZERO", changed(DOSE, AMT="0", TIME="2", RATE="5")),
        ("EVID-RANGE", changed(SAMPLE, EVID="5")),
        ("EVID-RANGE", changed(SAMPLE, EVID="0.5")),
        ("CMT-INTEGER", changed(DOSE, CMT="1.5", TIME="2")),
        ("CMT-INTEGER", changed(DOSE, CMT="-1", TIME="2")),
        ("RATE-RANGE", changed(DOSE, RATE="-3", TIME="2")),
        ("RATE-RANGE", changed(DOSE, RATE="-1.5", TIME="2")),
        ("DUR-NEG", changed(DOSE, DUR="-1", TIME="2")),
        ("RATE-DUR", changed(DOSE, RATE="10", DUR="5", TIME="2")),
        ("ADDL-II", changed(DOSE, ADDL="3", TIME="2")),
        ("ADDL-INTEGER", changed(DOSE, ADDL="1.5", II="1", TIME="2")),
        ("SS-II", changed(DOSE, SS="1", TIME="2")),
        ("SS-II", changed(DOSE, SS="2", II="-1", TIME="2")),
        ("SS-RANGE", changed(DOSE, SS="3", II="12", TIME="2")),
        ("DV-MISSING", changed(SAMPLE, DV=".")),
        ("MDV-RANGE", changed(SAMPLE, MDV="2")),
        ("VALUE-RANGE", changed(SAMPLE, DV="inf")),
        ("VALUE-RANGE", changed(SAMPLE, DV="1e999")),
        ("VALUE-RANGE", changed(SAMPLE, DV="1e-400")),
        ("VALUE-RANGE", changed(SAMPLE, TIME="1e309")),
    ],
)
def test_row(read: Read, rule: str, row: str) -> None:
    dataset = read(table(DOSE, changed(SAMPLE, TIME="1"), row))
    found = {
        f for f in errors(dataset.findings) if f.rule != "DV-MISSING" or rule == f.rule
    }
    assert {(f.rule, f.line, f.subject) for f in found} == {(rule, 4, "1")}
    assert all(f.hint for f in found)


def test_constant_infusion_to_steady_state_needs_no_interval(read: Read) -> None:
    endless = changed(DOSE, AMT="0", RATE="10", SS="1")
    assert read(table(endless, SAMPLE)).findings == ()


def test_rate_and_duration_that_agree(read: Read) -> None:
    assert read(table(changed(DOSE, RATE="50", DUR="2"), SAMPLE)).findings == ()


def test_censored_without_a_limit(read: Read) -> None:
    text = "ID,TIME,DV,CENS\n1,0,5,0\n1,1,.,1\n"
    assert only_error(read(text)) == ("CENS-LIMIT", 3, "1")
    text = "ID,TIME,DV,BLQ\n1,0,5,0\n1,1,.,1\n"
    assert only_error(read(text)) == ("CENS-LIMIT", 3, "1")


def test_censoring_codes(read: Read) -> None:
    text = "ID,TIME,DV,CENS\n1,0,5,0\n1,1,1,2\n"
    assert only_error(read(text)) == ("CENS-RANGE", 3, "1")
    text = "ID,TIME,DV,BLQ,LLOQ\n1,0,5,0,1\n1,1,1,3,1\n"
    assert only_error(read(text)) == ("BLQ-RANGE", 3, "1")


def test_interval_upside_down(read: Read) -> None:
    text = "ID,TIME,DV,CENS,LIMIT\n1,0,5,0,.\n1,1,1,1,2\n"
    assert only_error(read(text)) == ("LIMIT-ORDER", 3, "1")


@pytest.mark.parametrize(
    "rows",
    [
        "1,0,5,0,1\n1,1,2,1,1\n",  # CENS = 1 above LLOQ
        "1,0,2,0,0.5\n1,1,-0.693,1,0.5\n",  # ln 0.5
        "1,0,2,0,0.05\n1,1,-1.30103,1,0.05\n",  # log10 0.05
        "1,0,20,0,-0.69\n1,1,30,0,-0.69\n",  # the limit is a logarithm
        "1,0,1.2,0,50\n1,1,1.4,0,50\n",  # another unit
        "1,0,-1.2,0,0.5\n1,1,-2.1,0,0.5\n",  # DV is a logarithm
    ],
)
def test_limit_on_the_wrong_scale(read: Read, rows: str) -> None:
    found = errors(read("ID,TIME,DV,CENS,LLOQ\n" + rows).findings)
    assert {f.rule for f in found} == {"LLOQ-SCALE"}
    assert found[0].hint
    assert found[0].subject == "1"


def test_limit_on_the_right_scale(read: Read) -> None:
    rows = "1,0,5,0,0.5\n1,1,0,1,0.5\n1,2,0.5,1,0.5\n1,3,1.2,0,0.5\n"
    assert read("ID,TIME,DV,CENS,LLOQ\n" + rows).findings == ()
    logs = "1,0,1.2,0,-0.69\n1,1,-0.69,1,-0.69\n1,2,-0.5,0,-0.69\n"
    assert read("ID,TIME,DV,CENS,LLOQ\n" + logs).findings == ()


def test_header_only(read: Read) -> None:
    assert only_error(read("ID,TIME,DV\n")) == ("NO-ROWS", 1, None)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \n"])
def test_empty_file(read: Read, content: bytes) -> None:
    assert only_error(read(content)) == ("EMPTY-FILE", None, None)


def test_open_quote(read: Read) -> None:
    dataset = read('ID,TIME,DV\n1,0,1\n1,"1,2\n1,2,3\n')
    assert only_error(dataset) == ("UNREADABLE", 3, None)


def test_constant_covariate_changes(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n1,1,1,.\n1,2,1,71\n2,0,1,80\n"
    found = only_error(read(text, covariates={"WT": "constant"}))
    assert found == ("COV-CONSTANT", 4, "1")


def test_subject_without_a_covariate(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n2,0,1,.\n2,1,1,NA\n"
    found = only_error(read(text, covariates={"WT": "locf"}))
    assert found == ("COV-MISSING", 3, "2")


def test_words_cannot_be_carried_linearly(read: Read) -> None:
    text = "ID,TIME,DV,SEX\n1,0,1,F\n2,0,1,M\n"
    found = only_error(read(text, covariates={"SEX": "linear"}))
    assert found == ("COV-WORDS", 1, None)


def test_words_among_numbers(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n2,0,1,heavy\n"
    rules = {f.rule for f in errors(read(text, covariates={"WT": "locf"}).findings)}
    assert "WT-NUM" in rules


def test_gap_in_a_column_the_fit_reads(read: Read) -> None:
    text = "ID,TIME,DV,SIGMA\n1,0,1,70\n2,0,1,.\n"
    assert only_error(read(text, extra=("SIGMA",))) == ("COLUMN-GAP", 3, "2")
