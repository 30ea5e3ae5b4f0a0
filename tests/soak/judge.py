"""What the samples of a soak say: memory and descriptors flat, no drift. See soak.py."""

import statistics
import typing

RISE_SHARE = 0.05  # of the mean, over the time judged
# What opens and closes while nobody is connected: the connection that asks for /metrics.
DESCRIPTORS_LEFT = 1
LATENCY_RATIO = 3


class Bounds(typing.NamedTuple):
    """What differs between a soak of many minutes and one of seconds."""

    rise_mib: float  # memory may rise by that, if RISE_SHARE is less
    rise_descriptors: float  # of strangers and requests under way, a sample shows up to 40
    cost_ratio: float
    latency_ms: float  # one up to it is never too long
    still_samples: int  # in so many one after the other a pair that gets nothing has failed


LONG = Bounds(rise_mib=6, rise_descriptors=10, cost_ratio=1.5, latency_ms=5, still_samples=1)
SHORT = Bounds(rise_mib=64, rise_descriptors=60, cost_ratio=2.5, latency_ms=100, still_samples=3)


def slope(points):
    """Of the line of least squares through (x, y)."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def rise(samples, key):
    """How much the line through `key` rises from the first sample to the last."""
    points = [(each["at_s"], each[key]) for each in samples]
    return slope(points) * (points[-1][0] - points[0][0])


def thirds(samples):
    size = len(samples) // 3
    return samples[:size], samples[size:2 * size], samples[2 * size:]


def cost_us(samples):
    """Processor time of the broker for a message that it takes or sends, over these samples."""
    first, last = samples[0], samples[-1]
    messages = sum(last[key] - first[key] for key in ("publish_received_total",
                                                       "publish_sent_total"))
    return 1e6 * (last["cpu_s"] - first["cpu_s"]) / max(messages, 1)


def rate(samples, key="publish_sent_total"):
    first, last = samples[0], samples[-1]
    return (last[key] - first[key]) / (last["at_s"] - first["at_s"])


def latency_ms(samples, key="latency_ms"):
    known = [each[key] for each in samples if each[key] is not None]
    return statistics.median(known) if known else None


def judge(samples, idle, after, bounds):
    """What does not hold, a line each."""
    if len(samples) < 6:
        return [f"{len(samples)} samples are too few to judge"]
    _, middle, last = thirds(samples)
    judged, problems = middle + last, []
    grown, mean = rise(judged, "rss_kib"), statistics.fmean(each["rss_kib"] for each in judged)
    if grown > max(RISE_SHARE * mean, 1024 * bounds.rise_mib):
        problems.append(f"memory: it rises by {grown / 1024:.1f} MiB from {mean / 1024:.1f} MiB")
    grown = rise(judged, "descriptors_beside")
    if grown > bounds.rise_descriptors:
        problems.append(f"descriptors: those that are no client's rise by {grown:.1f}")
    left = after["descriptors"] - idle["descriptors"]
    if left > DESCRIPTORS_LEFT:
        problems.append(f"descriptors: {left} are left when all clients have gone")
    if after["connections"] > idle["connections"]:
        problems.append(f"connections: {after['connections']:.0f} are left")
    if {each["threads"] for each in [*judged, after]} != {idle["threads"]}:
        problems.append(f"threads: {idle['threads']} in the beginning, "
                        f"{sorted({each['threads'] for each in [*judged, after]})} later")
    before, now = cost_us(middle), cost_us(last)
    if now > bounds.cost_ratio * before:
        problems.append(f"cost: a message took {before:.2f} us of processor time, then {now:.2f}")
    before, now = latency_ms(middle), latency_ms(last)
    if before is None or now is None:
        problems.append("latency: the probe stands still")
    elif now > bounds.latency_ms and now > LATENCY_RATIO * before * max(
            1, latency_ms(last, "machine_ms") / latency_ms(middle, "machine_ms")):
        problems.append(f"latency: its median was {before:.2f} ms, then {now:.2f}")
    for one, other in zip(samples, samples[bounds.still_samples:]):
        for qos in range(3):
            if other["counted"][qos] == one["counted"][qos]:
                problems.append(f"load: the pair of QoS {qos} stood still "
                                f"{one['at_s']:.0f} to {other['at_s']:.0f} s")
    if samples[-1]["publish_received_total"] == samples[0]["publish_received_total"]:
        problems.append("load: no message came")
    return problems


def table(samples, idle, after, done):
    """The figures for people, by thirds."""
    if len(samples) < 6:
        return "too few samples for a table"
    rows = [("", "idle before", "first third", "middle third", "last third", "idle after")]
    parts = thirds(samples)

    def row(name, of_part, of_one=None):
        ends = [of_one(each) if of_one else "" for each in (idle, after)]
        rows.append((name, ends[0], *[of_part(part) for part in parts], ends[1]))

    def mean(key, unit=1, digits=0):
        return (lambda part: f"{statistics.fmean(each[key] for each in part) / unit:,.{digits}f}",
                lambda one: f"{one[key] / unit:,.{digits}f}")

    row("resident memory, MiB", *mean("rss_kib", 1024, 1))
    row("descriptors", *mean("descriptors"))
    row("  beside those of clients", *mean("descriptors_beside"))
    row("threads", *mean("threads"))
    row("connections", *mean("connections"))
    row("sessions", *mean("sessions"))
    row("deliveries waiting", *mean("deliveries_waiting"))
    row("messages received a second", lambda part: f"{rate(part, 'publish_received_total'):,.0f}")
    row("messages sent a second", lambda part: f"{rate(part):,.0f}")
    row("connections opened a second",
        lambda part: f"{rate(part, 'connections_opened_total'):,.0f}")
    row("processor time of a message, us", lambda part: f"{cost_us(part):.2f}")
    row("processors used", lambda part: f"{rate(part, 'cpu_s'):.2f}")
    row("latency of the probe, median, ms", lambda part: f"{latency_ms(part) or 0:.2f}")
    row("  a byte to another process", lambda part: f"{latency_ms(part, 'machine_ms') or 0:.2f}")
    widths = [max(len(each[i]) for each in rows) for i in range(6)]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(each, widths))).rstrip()
             for each in rows]
    judged = parts[1] + parts[2]
    minutes = (samples[-1]["at_s"]) / 60
    lines.append(f"{minutes:.1f} minutes, {len(samples)} samples; over the last two thirds memory "
                 f"rises by {rise(judged, 'rss_kib') / 1024:+.2f} MiB, descriptors beside "
                 f"those of clients by {rise(judged, 'descriptors_beside'):+.1f}")
    lines.append("counted, each once and in order: " + ", ".join(
        f"{count:,} of {name}" for name, count in done.get("pairs", {}).items()))
    lines.append(", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in done.items()
                           if key != "pairs"))
    return "\n".join(lines)
