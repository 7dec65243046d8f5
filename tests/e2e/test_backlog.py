"""A backlog: millions of log records wait in Kafka, then a worker starts. Its memory stays flat; rate and memory are told.

TENANTRY_BACKLOG=200000 tools/e2e --bin build/release/tenantry -m long -k backlog    # a smaller one"""

import os
import re
import time
from pathlib import Path

import pytest

from support.wait import until

BACKLOG = int(os.environ.get("TENANTRY_BACKLOG", "20000000"))
ITEMS = 1000  # of a record
MIB = 1 << 20


def memory(process, figure):
    """VmRSS or VmHWM in MiB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{figure}:\s+(\d+) kB", text)[1]) / 1024


def fill(tenant, records):
    """All of them are the same bytes: the question is how many, not what they say."""
    value, _ = tenant.value(ITEMS, fill="GET /api/v1/orders 200 in 12 ms")
    begun = time.monotonic()
    for done in range(0, records, 2000):
        n = min(2000, records - done)
        tenant.site.client.produce_all(tenant.topic(), [value] * n, None, tenant.headers(ITEMS))
    print(f"{records * ITEMS} log records in {records} Kafka records of {len(value)} bytes"
          f" produced in {time.monotonic() - begun:.0f} s")  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_backlog_is_written_with_flat_memory(own_site, own_kafka, unique):
    tenant = own_site.tenant(unique, partitions=6)
    records = BACKLOG // ITEMS
    fill(tenant, records)
    worker = tenant.start()
    begun, seen = time.monotonic(), []

    def written():
        seen.append((tenant.total("written_items"), memory(worker, "VmRSS")))
        time.sleep(1)
        return seen[-1][0] == records * ITEMS

    try:
        until(written, 7000, lambda: f"all of the backlog: {seen[-1]}")
        took = time.monotonic() - begun
        early = max(rss for done, rss in seen if done <= records * ITEMS / 4)
        late = max(rss for done, rss in seen if done >= records * ITEMS / 2)
        ticks = [int(n) for n in Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]]
        cpu = sum(ticks) / os.sysconf("SC_CLK_TCK")
        print(f"{records * ITEMS} rows in {took:.0f} s: {records * ITEMS / took:.0f} a second,"
              f" {records * ITEMS / cpu:.0f} per CPU-second ({cpu:.0f} s)")  # fmt: skip
        print(f"resident: {early:.0f} MiB at most in the first quarter, {late:.0f} MiB in the second half,"
              f" {memory(worker, 'VmHWM'):.0f} MiB at most ever; consumer.memory is 320 MiB")  # fmt: skip
        assert late <= early * 1.25 + 16
        assert memory(worker, "VmHWM") < 320 + 96
        assert tenant.progress()["items"] == records * ITEMS and tenant.books() == []
    finally:
        worker.terminate(60)
        for file in tenant.database.parent.glob("*"):
            file.unlink()  # gigabytes
