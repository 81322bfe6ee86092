from __future__ import annotations

from pathlib import Path

from loadtests.load.calls import Call, read_calls

STATS = """\
Type,Name,Request Count,Failure Count,Median Response Time,50%,66%,95%,99%
POST,send,7,1,40,41,50,90,120
GET,stats,30,0,10,11,12,20,31
GET,list,0,0,0,N/A,N/A,N/A,N/A
,Aggregated,37,1,10,12,14,60,120
"""


def test_locusts_table_is_read_the_busiest_call_first_without_its_sum(tmp_path: Path) -> None:
    path = tmp_path / "idle_stats.csv"
    path.write_text(STATS)
    assert read_calls(path) == [
        Call(name="stats", count=30, failures=0, p50=11, p95=20, p99=31),
        Call(name="send", count=7, failures=1, p50=41, p95=90, p99=120),
        Call(name="list", count=0, failures=0, p50=0, p95=0, p99=0),
    ]
