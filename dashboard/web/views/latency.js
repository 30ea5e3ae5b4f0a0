// How long deliveries take: published to delivered.

import { TimeChart } from '../time_chart.js'
import { fill, h, table } from '../dom.js'
import { clock_for, counts_between, lasting, percentile, whole } from '../format.js'
import { history_store, percentiles, source, time_range } from '../history.js'
import { HeatMap, Histogram, cividis_scale } from '../plots.js'
import { state } from '../state.js'

const SHARES = [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p95', 0.95],
    ['p99', 0.99],
    ['p99.9', 0.999],
    ['max', 1],
]

export function create(context) {
    const points_of = (range) => history_store.within(range)
    const lines = new TimeChart('Percentiles over time', {
        format: lasting,
        height: 170,
        log: true,
        points: points_of,
        series: [
            {
                name: 'p50',
                colour: 'blue',
                values: (points, range) => percentiles(points, 0.5, range),
            },
            {
                name: 'p90',
                colour: 'green',
                dash: [6, 3],
                values: (points, range) => percentiles(points, 0.9, range),
            },
            {
                name: 'p99',
                colour: 'orange',
                dash: [3, 3],
                values: (points, range) => percentiles(points, 0.99, range),
            },
            {
                name: 'p99.9',
                colour: 'vermillion',
                dash: [8, 2, 2, 2],
                values: (points, range) => percentiles(points, 0.999, range),
            },
        ],
    })
    const heat = new HeatMap('Latency over time: how many deliveries took how long', 190, points_of)
    const bars = new Histogram('Deliveries by latency', 210)
    const said = h('span.dim')
    const scale = h('span.legend')
    const numbers = h('div')
    for (const each of [lines, heat, bars]) {
        each.on_resize = context.invalidate
    }
    const element = h(
        'div.view.rolls',
        { tabindex: '0', role: 'region', 'aria-label': 'Latency' },
        h(
            'figure.chart',
            {},
            h('figcaption', {}, h('span.chart_title', {}, 'Latency over time'), scale),
            heat.element
        ),
        lines.element,
        h(
            'div.columns',
            { style: 'grid-template-columns: minmax(0, 1fr) 17rem; flex: none' },
            h(
                'figure.chart',
                {},
                h('figcaption', {}, h('span.chart_title', {}, 'Deliveries by latency'), said),
                bars.element
            ),
            h('section.panel', {}, h('h2', {}, 'At most'), numbers)
        )
    )
    let drawn = ''

    // Of the range of the charts, or, where that is all of it, since the beginning.
    function counts() {
        const range = time_range()
        const until = state.at ?? range.until
        const last = history_store.at(until)?.totals
        const zoomed = state.from !== null || state.window !== null
        const exact = state.at !== null && source.totals?.at <= until ? source.totals : last
        if (!zoomed) {
            return { all: exact?.latency ?? [], from: source.description.begin, until }
        }
        const first = history_store.at(range.from)?.totals
        return {
            all: last ? counts_between(last.latency, first?.latency ?? []) : [],
            from: range.from,
            until,
        }
    }

    return {
        element,
        draw() {
            const bounds = source.description.latency_bounds
            const { all, from, until } = counts()
            bars.counts = all
            bars.marks = SHARES.filter(([name]) => ['p50', 'p99', 'p99.9'].includes(name)).map(
                ([name, share]) => ({ name, value: percentile(all, bounds, share) })
            )
            heat.draw()
            lines.draw()
            bars.draw()
            const span = until - from
            const key = JSON.stringify([all, heat.most, from])
            if (key === drawn) {
                return
            }
            drawn = key
            fill(
                scale,
                'few ',
                h('i', {
                    style: `display:inline-block;width:7rem;height:.7rem;background:${cividis_scale()}`,
                }),
                ` many: ${whole(Math.round(heat.most ?? 0))} in a cell, logarithmic`
            )
            fill(said, `from ${clock_for(from, span)} to ${clock_for(until, span)}`)
            fill(
                numbers,
                table(
                    'Percentiles',
                    [
                        { name: 'of deliveries', cell: ([name]) => name },
                        {
                            name: 'latency',
                            number: true,
                            cell: ([, share]) => lasting(percentile(all, bounds, share)),
                        },
                    ],
                    SHARES
                ),
                h(
                    'p.dim',
                    { style: 'margin-top:.5rem' },
                    `${whole(all.reduce((a, b) => a + b, 0))} deliveries, in buckets 20 % wide.`
                )
            )
        },
    }
}
