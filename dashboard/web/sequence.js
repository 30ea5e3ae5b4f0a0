// A message's journey as a sequence diagram: publisher, broker, subscribers; time goes down, gaps
// are compressed, what was lost ends in a cross.

import { h } from './dom.js'
import { clock, lasting } from './format.js'

const LANE_LEAST = 128
const LEFT = 76
const HEAD = 46
const ROW = 22
const LANES_MAX = 12

// `room` is how wide it may become, in pixels; with many lanes it is wider, and scrolls.
export function sequence(steps, message, room) {
    const lanes = lanes_of(steps, message)
    const lane = Math.min(220, Math.max(LANE_LEAST, (room - LEFT) / Math.max(1, lanes.length)))
    const shown = steps.filter((each) => lanes.includes(each.from) && lanes.includes(each.to))
    const { place, gaps, high } = heights(shown)
    const wide = LEFT + lanes.length * lane
    const x_of = (name) => LEFT + lanes.indexOf(name) * lane + lane / 2
    const from = shown[0]?.at ?? 0
    const parts = lanes.map((name) => [
        h('line', {
            x1: x_of(name),
            x2: x_of(name),
            y1: HEAD - 6,
            y2: high,
            stroke: 'var(--line)',
            'stroke-width': 2,
        }),
        h(
            'text',
            { x: x_of(name), y: 20, 'text-anchor': 'middle', 'font-weight': 600 },
            cut(name, Math.floor(lane / 7.5)),
            h('title', {}, name)
        ),
    ])
    for (const { y, seconds } of gaps) {
        parts.push(
            h('rect', {
                x: LEFT - 8,
                y: y - 9,
                width: wide - LEFT,
                height: 18,
                fill: 'var(--raised)',
                opacity: 0.8,
            }),
            h(
                'text.time',
                { x: LEFT + (wide - LEFT) / 2, y: y + 4, 'text-anchor': 'middle' },
                `⋯ ${lasting(seconds)} later ⋯`
            )
        )
    }
    shown.forEach((each, i) => parts.push(step(each, place[i], x_of, from)))
    return h(
        'svg.sequence',
        {
            width: wide,
            height: high + 8,
            role: 'img',
            'aria-label': `Sequence of ${shown.length} steps between ${lanes.join(', ')}`,
        },
        h(
            'defs',
            {},
            marker('head', 'var(--text)'),
            marker('head_dup', 'var(--orange)'),
            marker('head_thin', 'var(--dim)')
        ),
        parts,
        shown.length < steps.length
            ? h(
                  'text.time',
                  { x: LEFT, y: high + 4 },
                  `${steps.length - shown.length} steps of other receivers are not drawn`
              )
            : null
    )
}

const marker = (id, colour) =>
    h(
        'marker',
        {
            id,
            viewBox: '0 0 8 8',
            refX: 7,
            refY: 4,
            markerWidth: 9,
            markerHeight: 9,
            orient: 'auto-start-reverse',
            markerUnits: 'userSpaceOnUse',
        },
        h('path', { d: 'M0 0 8 4 0 8z', fill: colour })
    )

// The publisher first, then who takes from it, the broker, then receivers as they come.
function lanes_of(steps, message) {
    const out = []
    const add = (name) =>
        name !== '' && !out.includes(name) && out.length < LANES_MAX && out.push(name)
    add(message.publisher)
    for (const each of steps) {
        add(each.from)
        add(each.to)
    }
    return out.filter((name) => steps.some((each) => each.from === name || each.to === name))
}

const cut = (text, most) => (text.length <= most ? text : text.slice(0, most - 1) + '…')

// Where each step begins and ends. Beginnings and ends in the order of time: each beginning takes a
// row of its own, so that no label lies on another; where much time passes there is a gap.
function heights(steps) {
    const moments = steps
        .flatMap((each, i) => {
            const ends = each.arrived !== undefined && each.arrived > each.at
            return [
                { at: each.at, i, ends: false },
                ...(ends ? [{ at: each.arrived, i, ends }] : []),
            ]
        })
        // What arrives at an instant is what lets others begin at it.
        .sort((a, b) => a.at - b.at || b.ends - a.ends || a.i - b.i)
    const passed = moments
        .slice(1)
        .map((each, i) => each.at - moments[i].at)
        .filter((each) => each > 0)
        .sort((a, b) => a - b)
    const usual = passed[Math.floor(passed.length / 2)] ?? 0
    const place = steps.map(() => ({ begin: 0, end: 0 }))
    const gaps = []
    let y = HEAD
    let last_begin = -Infinity
    moments.forEach(({ at, i, ends }, k) => {
        const seconds = k > 0 ? at - moments[k - 1].at : 0
        if (seconds > Math.max(usual * 8, 0.2)) {
            gaps.push({ y: y + 26, seconds })
            y += 56
        } else if (seconds > 0) {
            y += Math.min(16, 4 + 6 * Math.sqrt(seconds / usual))
        }
        if (ends) {
            place[i].end = Math.max(y, place[i].begin + 8)
        } else {
            y = Math.max(y, last_begin + ROW)
            last_begin = y
            place[i] = { begin: y, end: y + 12 }
        }
    })
    const high = place.reduce((most, each) => Math.max(most, each.end), y)
    return { place, gaps, high: high + 22 }
}

function step(each, { begin, end }, x_of, first) {
    const title = h(
        'title',
        {},
        `${clock(each.at, 6)}${each.arrived === undefined ? '' : ` to ${clock(each.arrived, 6)}`}` +
            ` ${each.packet} ${each.text}` +
            (each.inferred ? ' (not seen itself: known because of what followed)' : '')
    )
    const time = h(
        'text.time',
        { x: LEFT - 14, y: begin + 4, 'text-anchor': 'end' },
        `+${lasting(each.at - first)}`
    )
    if (each.from === each.to) {
        const x = x_of(each.from)
        return h(
            'g',
            {},
            title,
            time,
            each.lost
                ? h(
                      'text',
                      {
                          x,
                          y: begin + 5,
                          'text-anchor': 'middle',
                          'font-size': 16,
                          style: 'fill:var(--bad)',
                      },
                      '✕'
                  )
                : h('circle', { cx: x, cy: begin, r: 4, fill: 'var(--purple)' }),
            h('text', { x: x + 9, y: begin + 4 }, cut(each.text || each.packet, 30))
        )
    }
    const [x1, x2] = [x_of(each.from), x_of(each.to)]
    const stop = each.lost ? x1 + (x2 - x1) * 0.62 : x2
    const y2 = each.lost ? begin + (end - begin) * 0.62 : end
    const colour = each.dup ? 'var(--orange)' : each.inferred ? 'var(--dim)' : 'var(--text)'
    const head = each.dup ? 'head_dup' : each.inferred ? 'head_thin' : 'head'
    const label =
        `${each.packet}${each.dup ? ' DUP' : ''}${each.lost ? ' lost' : ''}` +
        (each.arrived !== undefined ? ` · ${lasting(each.arrived - each.at)}` : '') +
        (each.text ? ` · ${each.text}` : '')
    // Above the line, at its higher end: arrows never go up.
    const right = x2 > x1
    return h(
        'g',
        { opacity: each.inferred ? 0.85 : 1 },
        title,
        time,
        h('line', {
            x1,
            y1: begin,
            x2: stop,
            y2,
            stroke: colour,
            'stroke-width': each.inferred ? 1 : 1.8,
            'stroke-dasharray': each.dup ? '6 4' : each.inferred ? '2 3' : null,
            'marker-end': each.lost ? null : `url(#${head})`,
        }),
        each.lost
            ? h(
                  'text',
                  {
                      x: stop,
                      y: y2 + 6,
                      'text-anchor': 'middle',
                      'font-size': 17,
                      style: 'fill:var(--bad)',
                  },
                  '✕'
              )
            : null,
        h(
            'text',
            {
                x: right ? x1 + 7 : x1 - 7,
                y: begin - 4,
                'text-anchor': right ? 'start' : 'end',
                style: each.dup ? 'fill:var(--orange)' : each.inferred ? 'fill:var(--dim)' : null,
                stroke: 'var(--panel)',
                'stroke-width': 3,
                'paint-order': 'stroke',
            },
            cut(label, Math.max(1, Math.floor(Math.abs(x2 - x1) / 6.2)))
        )
    )
}
