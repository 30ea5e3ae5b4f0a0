// Every device a cell, by state, in groups. Where cells are too many to be seen, one stands for
// several; zooming in asks for fewer devices in more cells.

import { Plot } from '../chart.js'
import { button, fill, h, select, select_value } from '../dom.js'
import { DEVICE_STATES, cividis, colours, percent, rgb, whole } from '../format.js'
import { source } from '../history.js'
import { cividis_scale, fit } from '../plots.js'
import { state } from '../state.js'

const TITLE = 20 // height of a group's title
const GAP = 6
const CELL_LEAST = 4
const GLYPH_LEAST = 11

class FleetMap extends Plot {
    constructor(pick) {
        super('Fleet map', null, { time: false })
        this.answer = null
        this.places = [] // of groups: {group, cells, y, columns, size}
        this.chosen = null // {group: index, cell}
        this.pick = pick
        this.element.className = 'map'
        this.canvas.tabIndex = 0
    }

    // The largest size of a cell with which all groups fit.
    layout(groups) {
        const room = this.width - 2 * GAP
        const high = (size) =>
            groups.reduce(
                (sum, each) =>
                    sum +
                    TITLE +
                    GAP +
                    Math.ceil(each.cells.length / Math.max(1, Math.floor(room / size))) * size,
                GAP
            )
        let size = 26
        while (size > 1 && high(size) > this.height) {
            size -= size > 4 ? 1 : 0.5
        }
        let y = GAP
        this.places = groups.map((group) => {
            const columns = Math.max(1, Math.floor(room / size))
            const place = { group, y: y + TITLE, columns, size }
            y += TITLE + GAP + Math.ceil(group.cells.length / columns) * size
            return place
        })
    }

    paint(context) {
        const c = colours()
        if (!this.answer) {
            return
        }
        this.layout(this.answer.groups)
        const shown = DEVICE_STATES.map((each) => each.colour(c))
        this.places.forEach(({ group, y, columns, size }, index) => {
            context.textAlign = 'left'
            context.textBaseline = 'middle'
            context.font = '600 12px system-ui, sans-serif'
            context.fillStyle = c.text
            const title = `${group.name || 'all devices'}`
            context.fillText(fit(context, title, 240), GAP, y - 10)
            const at = GAP + Math.min(240, context.measureText(title).width) + 12
            context.font = '12px system-ui, sans-serif'
            context.fillStyle = c.dim
            const all = this.shown ?? group.devices
            context.fillText(
                fit(
                    context,
                    `${whole(group.connected)} of ${whole(all)} connected (${percent(
                        group.connected,
                        all
                    )})${group.faulted ? `, ✕ ${whole(group.faulted)} hit by a fault` : ''}`,
                    this.width - at - GAP
                ),
                at,
                y - 10
            )
            const gap = size >= 5 ? 1 : 0
            // A colour after the other: the canvas changes it five times, not once for each cell.
            for (let kind = 0; kind < shown.length; ++kind) {
                context.fillStyle = shown[kind]
                for (let i = 0; i < group.cells.length; ++i) {
                    if ((group.cells[i] & 7) === kind) {
                        context.fillRect(
                            GAP + (i % columns) * size,
                            y + Math.floor(i / columns) * size,
                            size - gap,
                            size - gap
                        )
                    }
                }
            }
            if (state.show !== 'none') {
                this.paint_measure(context, group, y, columns, size, gap)
            } else if (size >= GLYPH_LEAST) {
                this.paint_glyphs(context, group, y, columns, size)
            }
            if (this.chosen?.group === index) {
                const x = GAP + (this.chosen.cell % columns) * size
                const row = y + Math.floor(this.chosen.cell / columns) * size
                context.lineWidth = 2
                context.strokeStyle = c.cursor
                context.strokeRect(x - 1.5, row - 1.5, size + 2, size + 2)
            }
        })
    }

    paint_measure(context, group, y, columns, size, gap) {
        let most = 1
        for (const each of group.cells) {
            most = Math.max(most, each >> 3)
        }
        for (let i = 0; i < group.cells.length; ++i) {
            const level = group.cells[i] >> 3
            if (level > 0) {
                context.fillStyle = rgb(cividis(0.1 + (0.9 * level) / most))
                const part = (size - gap) * 0.62
                context.fillRect(
                    GAP + (i % columns) * size,
                    y + Math.floor(i / columns) * size + size - gap - part,
                    size - gap,
                    part
                )
            }
        }
    }

    paint_glyphs(context, group, y, columns, size) {
        context.font = `${Math.floor(size * 0.72)}px system-ui, sans-serif`
        context.textAlign = 'center'
        context.fillStyle = '#08131b'
        for (let i = 0; i < group.cells.length; ++i) {
            const kind = group.cells[i] & 7
            if (kind > 1 && kind < 5) {
                context.fillText(
                    DEVICE_STATES[kind].glyph,
                    GAP + ((i % columns) + 0.45) * size,
                    y + (Math.floor(i / columns) + 0.5) * size
                )
            }
        }
    }

    cell_at(x, y) {
        const index = this.places.findLastIndex((each) => y >= each.y)
        if (index < 0) {
            return null
        }
        const { group, y: top, columns, size } = this.places[index]
        const column = Math.floor((x - GAP) / size)
        const cell = Math.floor((y - top) / size) * columns + column
        return column < 0 || column >= columns || cell < 0 || cell >= group.cells.length
            ? null
            : { group: index, cell }
    }
}

const decode = (cells) =>
    typeof cells === 'string'
        ? Uint8Array.from(atob(cells), (each) => each.charCodeAt(0))
        : Uint8Array.from(cells)

export function create(context) {
    let part = null // {group, from, until}: what is zoomed into
    let per_cell = 1
    const counts = new Map() // name of a group -> its devices
    const trail = [] // parts before
    const tip = h('p.tip', { role: 'status' })
    const said = h('span.said')
    const map = new FleetMap()
    const watch = context.watch('fleet', 1, (answer) => {
        for (const each of answer.groups) {
            each.cells = decode(each.cells)
        }
        map.answer = answer
        map.shown = part ? part.until - part.from : null // what the counts are of
        const known = counts.size
        for (const each of answer.groups) {
            counts.set(each.name, each.devices)
        }
        if (counts.size !== known) {
            draw_groups()
        }
        per_cell = answer.devices_per_cell
        said.title = said.textContent =
            (per_cell > 1
                ? `a cell stands for ${whole(per_cell)} devices, and shows their gravest state`
                : 'a cell is a device') +
            (part
                ? `; ${part.group || 'all'}, ${whole(part.from)} to ${whole(part.until - 1)}`
                : '')
    })
    let cells = 0
    function ask() {
        // Four pixels a side at least, so that states can be told apart; and no more than a canvas
        // draws thirty times a second.
        cells = Math.max(
            100,
            Math.min(
                60000,
                Math.floor(
                    (Math.max(1, map.width - 12) * Math.max(1, map.height - 60)) /
                        (CELL_LEAST * CELL_LEAST)
                )
            )
        )
        cells -= cells % 100
        watch.set({
            ...context.at(),
            by: state.by,
            show: state.show,
            cells,
            group: part ? part.group : state.group,
            ...(part ? { from: part.from, until: part.until } : {}),
        })
    }
    map.on_resize = () => {
        ask()
        context.invalidate()
    }

    function zoom_to(next) {
        if (part === null && next === null) {
            if (state.group) {
                state.change({ group: '' })
            }
            return
        }
        map.chosen = null
        part = next
        back.disabled = part === null && state.group === ''
        ask()
        context.invalidate()
    }

    const place_of = ({ cell }) => (part?.from ?? 0) + cell * per_cell
    const group_of = ({ group }) => map.places[group]?.group

    // Half of what is shown, around a cell; or twice as much.
    function zoom(spot, inwards) {
        const group = group_of(spot)
        if (!group) {
            return
        }
        const from = part?.from ?? 0
        const until = part?.until ?? group.devices
        const wide = inwards ? Math.max(24, Math.round((until - from) / 3)) : (until - from) * 3
        const middle = place_of(spot)
        if (inwards && wide >= until - from) {
            return
        }
        const begin = Math.max(0, Math.round(middle - wide / 2))
        const all = group.devices // of the whole group, whatever part of it is shown
        if (!inwards && begin === 0 && wide >= all) {
            zoom_to(null)
        } else {
            if (inwards) {
                trail.push(part)
            }
            zoom_to({ group: group.name, from: begin, until: Math.min(all, begin + wide) })
        }
    }

    async function choose(spot, open) {
        map.chosen = spot
        context.invalidate()
        const group = group_of(spot)
        if (!group) {
            return
        }
        const value = group.cells[spot.cell]
        const about =
            `${group.name || 'all'} ${whole(place_of(spot))}` +
            (per_cell > 1 ? ` to ${whole(place_of(spot) + per_cell - 1)}` : '') +
            ': ' +
            `${DEVICE_STATES[value & 7]?.glyph ?? ''} ${DEVICE_STATES[value & 7]?.name ?? value}` +
            (state.show === 'none' ? '' : `, ${state.show} ${measure_text(value >> 3)}`)
        tip.textContent = about
        if (per_cell > 1) {
            if (open) {
                zoom(spot, true)
            }
            return
        }
        try {
            const row = await context.feed.ask('cell', {
                by: state.by,
                group: group.name,
                place: place_of(spot),
            })
            if (open) {
                state.go('devices', { device: row.name || row.client_id })
            } else if (map.chosen === spot) {
                fill(
                    tip,
                    `${about} · ${row.name} · ${row.client_id} · backlog ${whole(row.backlog)} · `,
                    h(
                        'button.link',
                        {
                            type: 'button',
                            on: {
                                click: () =>
                                    state.go('devices', { device: row.name || row.client_id }),
                            },
                        },
                        'its page (Enter)'
                    )
                )
            }
        } catch (problem) {
            tip.textContent = `${about}: ${problem.message}`
        }
    }

    map.canvas.addEventListener('click', (event) => {
        const spot = map.cell_at(event.offsetX, event.offsetY)
        if (spot) {
            choose(spot, per_cell > 1)
        }
    })
    map.canvas.addEventListener('dblclick', (event) => {
        const spot = map.cell_at(event.offsetX, event.offsetY)
        if (spot && per_cell === 1) {
            choose(spot, true)
        }
    })
    map.canvas.addEventListener(
        'wheel',
        (event) => {
            event.preventDefault()
            const spot = map.cell_at(event.offsetX, event.offsetY)
            const now = performance.now()
            if (spot && now - last_wheel > 120) {
                last_wheel = now
                zoom(spot, event.deltaY < 0)
            }
        },
        { passive: false }
    )
    let last_wheel = 0

    const legend = h('div.legend_row')
    function draw_legend() {
        const c = colours()
        fill(
            legend,
            DEVICE_STATES.map((each) =>
                h(
                    'span',
                    {},
                    h('i.swatch', { style: `background:${each.colour(c)}` }),
                    `${each.glyph} ${each.name}`
                )
            ),
            state.show === 'none'
                ? null
                : [
                      h(
                          'span',
                          {},
                          `${state.show}: few `,
                          h('i', {
                              style: `display:inline-block;width:6rem;height:.7rem;background:${cividis_scale()}`,
                          }),
                          ' many'
                      ),
                  ]
        )
    }
    draw_legend()

    const groups = () => [
        ['', 'all groups'],
        ...[...new Set([...counts.keys(), state.group])]
            .filter((name) => name !== '')
            .map((name) => [name, name]),
    ]
    const by = select(
        'Grouped by',
        [
            ['fleet', 'by fleet'],
            ['network', 'by network'],
            ['broker', 'by broker'],
            ['cohort', 'by cohort'],
            ['none', 'all together'],
        ],
        state.by,
        (value) => {
            state.change({ by: value, group: '' })
        }
    )
    const show = select(
        'Measure',
        [
            ['none', 'state'],
            ['messages', 'state and messages'],
            ['backlog', 'state and backlog'],
            ['losses', 'state and losses'],
        ],
        state.show,
        (value) => state.change({ show: value })
    )
    const group_box = h('span')
    const back = button('Zoom out', 'Show more again (key −)', () => zoom_to(trail.pop() ?? null))
    back.disabled = state.group === ''
    const draw_groups = () =>
        fill(
            group_box,
            select('Group', groups(), state.group, (value) => state.change({ group: value }))
        )
    draw_groups()

    return {
        element: h(
            'div.view',
            {},
            h('div.head', {}, h('h2', {}, 'Fleet map'), by, group_box, show, back, said),
            legend,
            map.element,
            tip
        ),
        draw() {
            map.draw()
        },
        changed(names) {
            if (names.has('by') || names.has('group')) {
                part = null
                if (names.has('by')) {
                    counts.clear()
                }
                trail.length = 0
                map.chosen = null
                back.disabled = state.group === ''
                select_value(by, state.by)
                draw_groups()
            }
            if (names.has('show') || names.has('theme')) {
                select_value(show, state.show)
                draw_legend()
            }
            ask()
        },
        keys(event) {
            const place = map.places[map.chosen?.group ?? 0]
            if (!place) {
                return false
            }
            const moves = {
                ArrowLeft: -1,
                ArrowRight: 1,
                ArrowUp: -place.columns,
                ArrowDown: place.columns,
            }
            if (
                event.key in moves &&
                (document.activeElement === map.canvas || event.key.match(/Up|Down/))
            ) {
                let { group, cell } = map.chosen ?? { group: 0, cell: -moves[event.key] }
                cell += moves[event.key]
                if (cell < 0 && group > 0) {
                    --group
                    cell = map.places[group].group.cells.length - 1
                } else if (cell >= place.group.cells.length && group + 1 < map.places.length) {
                    ++group
                    cell = 0
                }
                choose(
                    {
                        group,
                        cell: Math.min(Math.max(0, cell), map.places[group].group.cells.length - 1),
                    },
                    false
                )
                return true
            }
            if (event.key === 'Enter' && map.chosen && !event.target.matches?.('button, a')) {
                choose(map.chosen, true)
                return true
            }
            if (['+', '='].includes(event.key)) {
                zoom(map.chosen ?? { group: 0, cell: 0 }, true)
                return true
            }
            if (event.key === '-') {
                zoom_to(trail.pop() ?? null)
                return true
            }
            return false
        },
    }
}

// Half steps of the binary logarithm, as the feed counts them: 0: none, 1: 1, 3: 2, 5: 4, ...
const measure_text = (level) =>
    level === 0 ? 'none' : `about ${whole(Math.round(2 ** ((level - 1) / 2)))}`
