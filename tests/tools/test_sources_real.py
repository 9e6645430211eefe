"""Answers of real servers, where a folder of them lies beside the project; what each is, its README says."""

import os
from pathlib import Path

import pytest

from lib.tools.sources import coded, gacc

ANSWERS = Path(os.environ.get("TRADEGOALS_ANSWERS") or Path(__file__).parents[3] / "shared" / "answers")


def answer(name: str) -> bytes:
    if not (path := ANSWERS / name).is_file():
        pytest.skip(f"no {name}: real answers are kept beside the project, not in it")
    return path.read_bytes()


def test_a_table_of_the_imf_is_read_in_full_dollars() -> None:
    rows, notes = coded._read_imf(answer("imf_imts_nic_monthly.csv"), "here")
    by_flow = rows.set_index(["flow", "period"])["value"]
    assert by_flow["export"].size == by_flow["import"].size == 436
    assert (by_flow["export", "2026-M04"], by_flow["import", "2026-M04"]) == (601_982_690, 876_915_315)
    assert set(rows["reporter"]) == {"NIC"} and set(rows["partner"]) == {"G001"}
    assert set(rows["published"]) == {"2026-08-05"} and set(rows["status"]) == {"ok"}
    assert notes == ['here: 436 rows of the indicator "TBG_USD" left out']


def test_an_answer_of_comtrade_is_read() -> None:
    rows, notes = coded._read_comtrade(answer("comtrade_get.json"), "here")
    known = rows.set_index(["flow", "partner"])
    assert known.loc[("import", "276"), "value"] == 74_251_272_075
    assert set(known.loc["import", "valuation"]) == {"CIF"} and set(known.loc["export", "valuation"]) == {
        "FOB"
    }
    assert notes == []


def test_a_page_of_chinas_customs_is_read() -> None:
    rows, notes = gacc.read(answer("gacc_by_country_2026-03_cny.html"), "here")
    known = rows.set_index(["partner", "flow", "period"])["value"]
    assert known["World", "total", "2026-03"] == 4_104_640 and notes == []  # 41,046.4 times 100 million
    assert known["World", "total", "2026-01..2026-03"] == 11_838_000
    assert [known["Russia", flow, "2026-03"] for flow in ("total", "export", "import")] == [
        153_540,
        64_980,
        88_560,
    ]
    assert rows["partner"].nunique() == 24 and set(rows["published"]) == {"2026-04-08"}
    growth = rows[rows["period"] == "2026-01..2026-03"].set_index(["partner", "flow"])["yoy_pct"]
    assert growth["Russia", "total"] == "11.8" and growth["World", "import"] == "19.6"
