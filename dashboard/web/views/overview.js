// How everything stands, and how it went.

import { TimeChart } from '../time_chart.js'
import { h, set_text } from '../dom.js'
import { bytes, colours, counts_between, lasting, percentile, short, whole } from '../format.js'
import {
    dropped_sum,
    history_store,
    percentiles,
    rates,
    source,
    sum_of,
    values,
} from '../history.js'
import { state } from '../state.js'

const points_of = (range) => history_store.within(range)
const rate_of = (pick) => (points, range) => rates(points, pick, range)
const value_of = (pick) => (points) => values(points, pick)
const per_second = (value) => `${short(value)}/s`
const QOS_COLOURS = ['blue', 'orange', 'green']

const by_qos = (name) =>
    [0, 1, 2].map((qos) => ({
        name: `QoS ${qos}`,
        colour: QOS_COLOURS[qos],
        values: rate_of((each) => each.qos[qos][name]),
    }))

const CHARTS = [
    ['Published a second', { stacked: true, format: short, series: by_qos('published') }],
    ['Delivered a second', { stacked: true, format: short, series: by_qos('delivered') }],
    [
        'Connected',
        {
            format: short,
            series: [{ name: 'now', colour: 'green', values: value_of((each) => each.connected) }],
        },
    ],
    [
        'Latency, published to delivered',
        {
            format: lasting,
            log: true,
            series: [
                {
                    name: 'p50',
                    colour: 'blue',
                    values: (points, range) => percentiles(points, 0.5, range),
                },
                {
                    name: 'p99',
                    colour: 'vermillion',
                    dash: [5, 3],
                    values: (points, range) => percentiles(points, 0.99, range),
                },
            ],
        },
    ],
    [
        'Waiting',
        {
            format: short,
            series: [
                { name: 'queued', colour: 'orange', values: value_of((each) => each.queued) },
                {
                    name: 'in flight',
                    colour: 'blue',
                    dash: [5, 3],
                    values: value_of((each) => each.in_flight),
                },
            ],
        },
    ],
    [
        'Lost and resent a second',
        {
            format: short,
            least: 0.01,
            series: [
                { name: 'dropped', colour: 'vermillion', values: rate_of(dropped_sum) },
                {
                    name: 'resent',
                    colour: 'orange',
                    dash: [5, 3],
                    values: rate_of((each) => sum_of(each, 'resent')),
                },
            ],
        },
    ],
    [
        'Payload bytes a second',
        {
            format: short,
            series: [
                { name: 'in', colour: 'blue', values: rate_of((each) => each.payload_bytes_in) },
                {
                    name: 'out',
                    colour: 'green',
                    dash: [5, 3],
                    values: rate_of((each) => each.payload_bytes_out),
                },
            ],
        },
    ],
    [
        'Connects a second',
        {
            format: short,
            least: 0.01,
            series: [
                { name: 'made', colour: 'green', values: rate_of((each) => each.connects) },
                {
                    name: 'ended',
                    colour: 'blue',
                    dash: [5, 3],
                    values: rate_of((each) => each.disconnects),
                },
                {
                    name: 'refused',
                    colour: 'vermillion',
                    dash: [2, 2],
                    values: rate_of((each) => each.connects_refused),
                },
            ],
        },
    ],
]

function tile(name, title) {
    const value = h('span.value')
    const more = h('span.more')
    return {
        value,
        more,
        element: h(
            'div.tile',
            { title, role: 'group', 'aria-label': name },
            h('span.name', {}, name),
            value,
            more
        ),
    }
}

export function create(context) {
    const tiles = {
        connected: tile('Connected', 'Devices that the brokers see connected now'),
        in: tile('Published', 'Messages a second that brokers took on; below, by QoS'),
        out: tile('Delivered', 'Deliveries a second that arrived; below, by QoS'),
        flight: tile('In flight', 'Deliveries of QoS 1 and 2 sent and not complete'),
        queued: tile('Queued', 'Deliveries that wait for a connection or a window'),
        drops: tile('Dropped', 'Messages and deliveries a second that were dropped or lost'),
        latency: tile('Latency p50', 'Published to delivered, lately'),
        p99: tile('Latency p99', 'Published to delivered, lately'),
        bytes: tile('Payload in', 'Bytes a second of messages taken on'),
        retained: tile('Retained', 'Retained messages now'),
        faults: tile('Faults', 'Faults that go on now'),
        violations: tile('Violations', 'Of invariants, since the beginning'),
    }
    const charts = CHARTS.map(
        ([title, options]) => new TimeChart(title, { ...options, points: points_of, height: null })
    )
    const element = h(
        'div.view.rolls.overview',
        { tabindex: '0', role: 'region', 'aria-label': 'Overview' },
        h(
            'div.tiles',
            {},
            Object.values(tiles).map((each) => each.element)
        ),
        h(
            'div.charts',
            {},
            charts.map((each) => each.element)
        )
    )

    function put(name, value, more = '') {
        set_text(tiles[name].value, value)
        set_text(tiles[name].more, more)
        tiles[name].more.title = more
    }

    function draw_tiles() {
        const totals = source.totals ?? history_store.latest()
        if (!totals) {
            return
        }
        const description = source.description
        const pair = history_store.pair(state.at)
        const passed = pair ? pair.now.at - pair.before.at : 0
        const rate = (pick) =>
            passed > 0 ? Math.max(0, pick(pair.now) - pick(pair.before)) / passed : 0
        const qos_rates = (name) =>
            [0, 1, 2].map((qos) => short(rate((each) => each.qos[qos][name]))).join(' · ')
        put('connected', whole(totals.connected), `of ${whole(description.devices)}`)
        put(
            'in',
            per_second(rate((each) => sum_of(each, 'published'))),
            `${qos_rates('published')} by QoS`
        )
        put(
            'out',
            per_second(rate((each) => sum_of(each, 'delivered'))),
            `${qos_rates('delivered')} by QoS`
        )
        put('flight', whole(totals.in_flight), `most ${whole(totals.in_flight_max)}`)
        put('queued', whole(totals.queued), `most ${whole(totals.queued_max)}`)
        put('drops', per_second(rate(dropped_sum)), `${whole(dropped_sum(totals))} in all`)
        const between = pair ? counts_between(pair.now.latency, pair.before.latency) : []
        const lately = percentile(between, description.latency_bounds, 0.5)
        const p99 = percentile(between, description.latency_bounds, 0.99)
        put(
            'latency',
            lasting(lately),
            `${lasting(percentile(totals.latency, description.latency_bounds, 0.5))} in all`
        )
        put(
            'p99',
            lasting(p99),
            `${lasting(percentile(totals.latency, description.latency_bounds, 0.99))} in all`
        )
        put(
            'bytes',
            `${bytes(rate((each) => each.payload_bytes_in))}/s`,
            `${bytes(totals.payload_bytes_in)} in all`
        )
        put('retained', whole(totals.retained), 'messages')
        put('faults', whole(totals.faults_active), totals.faults_active ? '⚡ now' : 'none now')
        put(
            'violations',
            whole(totals.violations),
            totals.violations ? '▲ see Faults' : 'none so far'
        )
        tiles.violations.value.style.color = totals.violations ? colours().vermillion : ''
        tiles.faults.value.style.color = totals.faults_active ? colours().vermillion : ''
    }

    element.addEventListener('scroll', context.invalidate)
    charts.forEach((each) => {
        each.on_resize = context.invalidate
    })
    return {
        element,
        draw() {
            draw_tiles()
            const seen = element.getBoundingClientRect()
            for (const each of charts) {
                // what is scrolled away costs nothing
                const place = each.element.getBoundingClientRect()
                if (place.bottom > seen.top && place.top < seen.bottom) {
                    each.draw()
                }
            }
        },
    }
}
