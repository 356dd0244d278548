"""Sources of the format `spark`: an ORC folder and a table of Spark's catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from refinery.sources.config import FieldMapping, ReadLimits, SourceConfig, SparkReaderConfig
from refinery.sources.spark_tables import list_table, open_table, read_rows
from schemas.errors import SettingsError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = [
    ("http://a.example/", "one", "2024-05-01T00:00:00", {"k": 1}),
    ("http://a.example/", "one", "2024-05-01T00:00:00", {"k": 1}),
    (None, "数据", None, None),
    (None, None, None, None),
]
DDL = "link string, body string, at string, extra map<string,int>"
FIELDS = FieldMapping(text="body", url="link", fetched_at="at")


def read(spark: SparkSession, source: SourceConfig) -> list[dict[str, Any]]:
    (file,) = list_table(spark, source)
    rows = read_rows(open_table(spark, source), source, file, 3, ReadLimits()).collect()
    return [row.asDict() for row in rows]


def test_rows_of_orc_and_of_a_table_are_the_same_documents(
    spark: SparkSession, tmp_path: Path
) -> None:
    spark.createDataFrame(ROWS, DDL).write.orc(str(tmp_path / "orc"))
    spark.createDataFrame(ROWS[::-1], DDL).repartition(3).createOrReplaceTempView("documents_here")
    orc = SourceConfig(
        name="s", uri=str(tmp_path / "orc"), format="spark", fields=FIELDS,
        spark=SparkReaderConfig(format="orc"),
    )  # fmt: skip
    table = SourceConfig(name="s", uri="documents_here", format="spark", fields=FIELDS)

    found = {}
    for name, source in (("orc", orc), ("table", table)):
        rows = read(spark, source)
        fetches = [row for row in rows if row["table"] == "fetches"]
        (reject,) = [row for row in rows if row["table"] == "rejects"]
        assert reject["reason"] == "row:no_text"
        assert sum(row["fetched"] for row in rows if row["table"] == "files") == 3
        assert len({row["offset"] for row in fetches}) == 3, "equal rows have numbers of their own"
        found[name] = sorted(
            (
                row["doc_id"],
                row["offset"],
                bytes(row["payload"]).decode(),
                row["meta"],
                row["priority"],
            )
            for row in fetches
        )

    assert found["orc"] == found["table"]
    assert [row[2:] for row in sorted(found["orc"], key=lambda row: row[2])] == [
        ("one", '{"extra": {"k": 1}}', 3), ("one", '{"extra": {"k": 1}}', 3), ("数据", "{}", 3),
    ]  # fmt: skip
    # What identifies the content does not depend on where it lies or on partitions.
    assert list_table(spark, orc)[0].sha256 == list_table(spark, table)[0].sha256 != ""


def test_bytes_stay_bytes(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(b"<p>\xff</p>",)], "body binary")
    frame.createOrReplaceTempView("pages_here")
    fields = FieldMapping(text="body", url=None, mime="text/html")
    source = SourceConfig(name="s", uri="pages_here", format="spark", fields=fields)

    (fetch,) = [row for row in read(spark, source) if row["table"] == "fetches"]

    assert bytes(fetch["payload"]) == b"<p>\xff</p>"


def test_a_table_that_is_not_there_is_one_line(spark: SparkSession) -> None:
    source = SourceConfig(name="s", uri="no_such_table", format="spark")

    with pytest.raises(
        SettingsError, match=r"source 's': Spark cannot read no_such_table: \[TABLE"
    ):
        open_table(spark, source)


def test_a_reader_of_spark_belongs_to_its_format() -> None:
    with pytest.raises(ValueError, match="only for format: spark"):
        SourceConfig(name="s", uri="x", format="text", spark=SparkReaderConfig(format="orc"))


def test_rows_of_a_database_are_read_by_jdbc(spark: SparkSession, tmp_path: Path) -> None:
    driver = "org.apache.derby.iapi.jdbc.AutoloadedDriver"  # its jar comes with Spark
    jvm: Any = spark._jvm
    jvm.java.lang.System.setProperty("derby.system.home", str(tmp_path))
    options = {"url": "jdbc:derby:pages", "driver": driver}
    created = {**options, "url": f"{options['url']};create=true"}
    rows = spark.createDataFrame(ROWS, DDL).drop("extra")
    rows.write.format("jdbc").options(dbtable="PAGES", **created).save()
    source = SourceConfig(
        name="s", uri="PAGES", format="spark", fields=FIELDS,
        spark=SparkReaderConfig(format="jdbc", options=options),
    )  # fmt: skip

    found = read(spark, source)

    texts = [bytes(row["payload"]).decode() for row in found if row["table"] == "fetches"]
    assert sorted(texts) == ["one", "one", "数据"]
    assert [row["reason"] for row in found if row["table"] == "rejects"] == ["row:no_text"]
    for wrong, said in (
        ({"uri": "PAGEZ"}, "Spark cannot read PAGEZ: .*PAGEZ"),
        (
            {"spark": SparkReaderConfig(format="jdbc", options={**options, "driver": "no.Driver"})},
            "Spark cannot read PAGES: .*no.Driver",
        ),
    ):
        with pytest.raises(SettingsError, match=said) as raised:
            open_table(spark, source.model_copy(update=wrong))
        assert "\n" not in str(raised.value)
