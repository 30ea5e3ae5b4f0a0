// Totals over time, bounded, and what is taken from them: rates, percentiles, ranges.

import { counts_between, percentile } from './format.js'
import { state } from './state.js'

const POINTS_MAX = 4000

class History {
    constructor() {
        this.reset()
    }

    reset() {
        this.points = []
        this.detail = null // {from, until, points}: a range asked for in more detail
        this.revision = 0
    }

    replace(points) {
        const newest = this.latest()
        this.points = points.slice(-POINTS_MAX)
        if (newest && newest.at > (this.latest()?.at ?? -Infinity)) {
            this.points.push(newest)
        }
        ++this.revision
    }

    // The newest totals. What goes back in time is of another run: all before is forgotten.
    add(totals) {
        const last = this.latest()
        if (last && totals.at < last.at) {
            this.reset()
        }
        if (last && totals.at === last.at) {
            this.points[this.points.length - 1] = totals
        } else {
            this.points.push(totals)
        }
        if (this.points.length > POINTS_MAX) {
            const half = POINTS_MAX / 2
            this.points = [
                ...this.points.slice(0, half).filter((_, i) => i % 2 === 0),
                ...this.points.slice(half),
            ]
        }
        ++this.revision
    }

    latest() {
        return this.points.at(-1) ?? null
    }

    add_detail(from, until, points) {
        this.detail = { from, until, points }
        ++this.revision
    }

    // The points of a range and one on either side of it, in as much detail as there is.
    within({ from, until }) {
        const detail = this.detail
        const all =
            detail && detail.from <= from && detail.until >= until && detail.points.length > 2
                ? detail.points
                : this.points
        const first = Math.max(0, index_at(all, from))
        const last = index_at(all, until) + 2
        return all.slice(first, last)
    }

    // The totals at an instant: the newest not after it; of the first instants the first.
    at(instant) {
        const all =
            this.detail &&
            this.detail.from <= instant &&
            this.detail.until >= instant &&
            this.detail.points.length > 2
                ? this.detail.points
                : this.points
        const index = Math.max(0, index_at(all, instant))
        return all.length === 0 ? null : { all, index, totals: all[index] }
    }

    // From what rates at an instant are taken: the totals there, and those about a second of real
    // time before (of recordings, where all comes at once, the point before).
    pair(instant) {
        const found = this.at(instant ?? Infinity)
        if (!found || found.index === 0) {
            return null
        }
        const now = found.totals
        let i = found.index - 1
        while (
            i > 0 &&
            now.wall > 0 &&
            now.wall - found.all[i].wall < 1 &&
            now.wall >= found.all[i].wall &&
            !now.paused
        ) {
            --i
        }
        return { now, before: found.all[i] }
    }
}

// The last index whose point is not after the instant; -1: none.
export function index_at(points, instant) {
    let low = 0
    let high = points.length
    while (low < high) {
        const middle = (low + high) >> 1
        if (points[middle].at <= instant) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    return low - 1
}

export const history_store = new History()

// What is shown: the description, and the range that all charts share.
export const source = { description: null, timeline: { faults: [], violations: [], marks: [] } }

// All that can be looked at.
export function whole_range() {
    const description = source.description
    const begin = description?.begin ?? 0
    const last = history_store.latest()?.at ?? begin
    const end =
        description && !description.is_live && description.end !== undefined
            ? Math.max(description.end, last)
            : last
    return { from: begin, until: Math.max(end, begin + 1e-6) }
}

export function time_range() {
    const all = whole_range()
    if (state.window !== null) {
        return { from: Math.max(all.from, all.until - state.window), until: all.until }
    }
    if (state.from !== null && state.until !== null && state.until > state.from) {
        return { from: state.from, until: state.until }
    }
    return all
}

// How far apart two points have to be for a rate between them to say something: one message between
// two that are a millisecond apart is not a thousand a second. Counts go on, so nothing is lost.
const RATES_MOST = 240

function* spans(points, range) {
    const least = (range.until - range.from) / RATES_MOST
    let before = 0
    for (let i = 1; i < points.length; ++i) {
        if (points[i].at - points[before].at > least * 0.999) {
            yield [i, before]
            before = i
        }
    }
}

// Per second, NaN where there is none: at the first point, and within a span.
export function rates(points, pick, range) {
    const out = new Float64Array(points.length).fill(NaN)
    for (const [i, before] of spans(points, range)) {
        out[i] =
            Math.max(0, pick(points[i]) - pick(points[before])) / (points[i].at - points[before].at)
    }
    return out
}

export const values = (points, pick) => Float64Array.from(points, pick)

// A percentile of what was delivered between one point and the next; NaN: nothing was.
export function percentiles(points, share, range) {
    const bounds = source.description?.latency_bounds ?? []
    const out = new Float64Array(points.length).fill(NaN)
    for (const [i, before] of spans(points, range)) {
        const between = counts_between(points[i].latency, points[before].latency)
        out[i] = percentile(between, bounds, share) ?? NaN
    }
    return out
}

export const dropped_sum = (totals) =>
    totals.dropped.reduce((sum, each) => sum + each, 0) +
    totals.qos.reduce((sum, each) => sum + each.lost, 0)
export const sum_of = (totals, name) => totals.qos.reduce((sum, each) => sum + each[name], 0)
