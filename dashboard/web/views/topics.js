// The topic tree, loaded level by level as it is opened, with rates; beside it what a topic holds.

import { VirtualTable, button, fill, h, select, text_input } from '../dom.js'
import { bytes, clock, lasting, short, whole } from '../format.js'
import { Inspector } from '../payload.js'
import { sparkline } from '../plots.js'
import { keep_setting, settings, state } from '../state.js'
import { message_mark } from './messages.js'
import { list_key } from './devices.js'

const PAGE = 200
const TRAIL = 40 // rates kept of a topic that is seen
const TRAILS_MAX = 3000
const EVERY_MS = 1000

export function create(context) {
    const levels = new Map() // parent, or null for the root -> {all, rows, limit}
    const open = new Set() // names of opened topics
    const trails = new Map() // name -> {at, messages, rates, rate}
    let shown = [] // flat: {row, depth} or {more: parent, depth}
    let order = settings.topic_order ?? 'name'
    let selected = null // the row
    let answer = null
    let closed = false
    const said = h('span.said')
    const error = h('p.error', { role: 'alert' })

    const rows = new VirtualTable(
        'Topics',
        [
            { name: 'topic', width: 'auto', cell: (entry, index) => name_cell(entry, index) },
            {
                name: 'msgs/s',
                width: '4.6rem',
                number: true,
                cell: ({ row }) => (row ? short(trails.get(row.name)?.rate) : ''),
            },
            {
                name: 'lately',
                width: '6.1rem',
                cell: ({ row }) =>
                    row && trails.has(row.name) ? sparkline(trails.get(row.name).rates) : '',
            },
            {
                name: 'messages',
                width: '6rem',
                number: true,
                cell: ({ row }) => (row ? whole(row.messages) : ''),
            },
            {
                name: 'bytes',
                width: '5rem',
                number: true,
                cell: ({ row }) => (row ? bytes(row.bytes) : ''),
            },
            {
                name: 'last payload',
                width: '9.5rem',
                cell: ({ row }) =>
                    row?.is_topic
                        ? h(
                              'span.preview.mono',
                              {
                                  title: preview(row),
                              },
                              preview(row)
                          )
                        : '',
            },
        ],
        {
            row: (index) => shown[index] ?? null,
            open: (entry, index) => {
                if (entry.more !== undefined) {
                    more(entry.more, index)
                    return
                }
                select_row(entry.row)
                if (!entry.row.is_topic && !open.has(entry.row.name) && !state.search) {
                    toggle(entry.row)
                }
            },
            key: (entry) => entry.row?.name ?? null,
        }
    )

    function name_cell({ row, depth, more: parent }) {
        const indent = h('span.depth', { style: `width:${depth * 1.1}rem` })
        if (!row) {
            const level = levels.get(parent)
            return [
                indent,
                h(
                    'button.link',
                    { type: 'button' },
                    `${whole(level.all - level.rows.length)} more`
                ),
            ]
        }
        const is_open = open.has(row.name)
        const twist =
            row.children > 0 && !state.search
                ? h(
                      'button.twist',
                      {
                          type: 'button',
                          'aria-expanded': is_open ? 'true' : 'false',
                          tabindex: '-1',
                          'aria-label': `${is_open ? 'Close' : 'Open'} ${row.name}`,
                          on: {
                              click: (event) => {
                                  event.stopPropagation()
                                  toggle(row)
                              },
                          },
                      },
                      is_open ? '▾' : '▸'
                  )
                : h('span.glyph', {}, '')
        if (state.search) {
            // Of a long name the end tells more.
            const mark = row.retained ? '★ ' : ''
            return h('span.tail', { title: row.name }, h('bdi', {}, mark + row.name))
        }
        return [
            indent,
            twist,
            h('span', { title: row.name }, row.level || '(empty)'),
            row.retained ? h('span.purple', { title: 'has a retained message' }, ' ★') : null,
            row.children > 0 ? h('span.dim', {}, `  ${whole(row.children)}`) : null,
        ]
    }

    const preview = (row) =>
        row.payload_size === 0
            ? '(empty)'
            : row.payload_encoding === 'text'
              ? row.payload.replace(/\s+/g, ' ').slice(0, 80)
              : `${bytes(row.payload_size)}, not text`

    function flatten() {
        shown = []
        const walk = (parent, depth) => {
            const level = levels.get(parent)
            if (!level) {
                return
            }
            for (const row of level.rows) {
                shown.push({ row, depth })
                if (open.has(row.name) && !state.search) {
                    walk(row.name, depth + 1)
                }
            }
            if (level.rows.length < level.all) {
                shown.push({ more: parent, depth })
            }
        }
        walk(null, 0)
        rows.count = shown.length
        rows.draw()
    }

    function keep_trail(row, at) {
        const trail = trails.get(row.name)
        if (!trail || at < trail.at) {
            trails.delete(row.name)
            trails.set(row.name, { at, messages: row.messages, rates: [], rate: undefined })
            while (trails.size > TRAILS_MAX) {
                trails.delete(trails.keys().next().value)
            }
        } else if (at > trail.at) {
            trail.rate = (row.messages - trail.messages) / (at - trail.at)
            trail.rates.push(trail.rate)
            if (trail.rates.length > TRAIL) {
                trail.rates.shift()
            }
            trail.at = at
            trail.messages = row.messages
        }
    }

    async function load(parent) {
        const level = levels.get(parent) ?? { all: 0, rows: [], limit: PAGE }
        const parameters = {
            ...context.at('topics'),
            order,
            limit: level.limit,
            ...(state.search
                ? { search: state.search }
                : parent === null
                  ? {}
                  : { parent, parent_is_root: false }),
        }
        const heard = await context.feed.ask('topics', parameters)
        if (closed || parameters.search !== (state.search || undefined)) {
            return
        }
        level.all = heard.all
        level.rows = heard.rows
        levels.set(parent, level)
        answer = heard
        heard.rows.forEach((row) => keep_trail(row, heard.at))
        if (selected) {
            const fresh = heard.rows.find((row) => row.name === selected.name)
            if (fresh) {
                selected = fresh
                describe()
            }
        }
        said.title = said.textContent =
            `${context.present_note('topics')}${whole(heard.topics)} topics` +
            (heard.messages_beyond
                ? `; ${whole(heard.messages_beyond)} messages to more topics than can be told apart`
                : '')
        error.textContent = ''
    }

    // One level after the other, so that an open tree costs the source one question at a time.
    // What is scrolled out of sight waits.
    let turn = 0
    let again = false
    async function refresh() {
        const own = ++turn
        const { from, count } = rows.visible()
        const seen = new Set([null])
        for (const { row, more: parent } of shown.slice(from, from + count)) {
            if (row) {
                seen.add(row.name)
                const up = row.name.lastIndexOf('/')
                seen.add(up < 0 ? null : row.name.slice(0, up))
            } else {
                seen.add(parent)
            }
        }
        for (const parent of [null, ...open]) {
            if (state.search && parent !== null) {
                break
            }
            if (seen.has(parent) || !levels.has(parent)) {
                try {
                    await load(parent)
                } catch (problem) {
                    error.textContent = problem.message
                    break
                }
                if (closed || own !== turn) {
                    return
                }
                flatten()
            }
        }
        context.invalidate()
    }
    const timer = setInterval(() => {
        if (
            !document.hidden &&
            context.feed.is_open &&
            ((context.is_live() && state.at === null) || again)
        ) {
            again = false
            refresh()
        }
    }, EVERY_MS)

    function toggle(row) {
        if (open.has(row.name)) {
            open.delete(row.name)
        } else {
            open.add(row.name)
        }
        flatten()
        refresh()
    }

    function more(parent) {
        const level = levels.get(parent)
        level.limit = Math.min(2000, level.limit + PAGE * 2)
        refresh()
    }

    // ------------------------------------------------------------------------ what is selected

    const title = h('h3', {}, 'No topic is selected')
    const facts = h('dl.facts')
    const newest = h('div')
    const inspector = new Inspector()
    const to_messages = button('Its messages', 'Messages of this topic, and of all below it', () =>
        state.go('messages', {
            topic: selected.is_topic && !selected.children ? selected.name : `${selected.name}/#`,
            client: '',
            qos: null,
            state: '',
            reason: '',
        })
    )
    to_messages.disabled = true
    let last_seen = ''
    const messages = context.watch('messages', 1, (heard, asked) => {
        fill(
            newest,
            h(
                'h3',
                { style: 'margin:.5rem 0 .2rem' },
                'Newest messages' +
                    (heard.one_in > 1 ? ` (one in ${whole(heard.one_in)} is kept)` : '')
            ),
            heard.rows.length === 0
                ? h('p.dim', {}, 'None is kept.')
                : heard.rows.map((each) =>
                      h(
                          'div',
                          {},
                          h(
                              'button.link',
                              {
                                  type: 'button',
                                  title: 'Its journey',
                                  on: {
                                      click: () => state.go('messages', { message: each.message }),
                                  },
                              },
                              `${clock(each.at, 3)} · ${bytes(each.size)}`
                          ),
                          ' ',
                          message_mark(each.state)
                      )
                  )
        )
        const first = heard.rows[0]
        if (
            first &&
            selected &&
            asked.filter === selected.name &&
            last_seen !== `${first.message}`
        ) {
            last_seen = `${first.message}`
            context.feed.ask('message', { message: first.message }).then(
                (found) => {
                    if (!closed && selected?.name === found.message.topic) {
                        whole_payload = first.message
                        inspector.show(found.payload, found.payload_before, found.message.topic)
                    }
                },
                () => {}
            ) // forgotten since: the preview stays
        }
    })
    let whole_payload = null

    function select_row(row) {
        selected = row
        last_seen = ''
        whole_payload = null
        describe()
        if (row.is_topic) {
            messages.set({ ...context.at(), filter: row.name, limit: 8 })
        } else {
            fill(newest)
        }
    }

    function describe() {
        const row = selected
        title.textContent = row.name || '(empty)'
        to_messages.disabled = false
        fill(
            facts,
            [
                ['messages', `${whole(row.messages)}${row.children ? ', with all below' : ''}`],
                ['payload bytes', bytes(row.bytes)],
                ['levels below', whole(row.children)],
                ['retained', row.retained ? '★ yes' : 'no'],
                [
                    'last',
                    row.last_at === undefined
                        ? '–'
                        : `${clock(row.last_at, 3)}, ${lasting(answer.at - row.last_at)} ago`,
                ],
                [
                    'by',
                    row.last_publisher
                        ? h(
                              'button.link',
                              {
                                  type: 'button',
                                  title: 'Its page',
                                  on: {
                                      click: () =>
                                          state.go('devices', { device: row.last_publisher }),
                                  },
                              },
                              row.last_publisher
                          )
                        : '–',
                ],
                ['QoS', row.last_at === undefined ? '–' : row.last_qos],
            ].map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
        )
        if (row.is_topic && whole_payload === null) {
            inspector.show(
                {
                    text: row.payload,
                    encoding: row.payload_encoding || 'text',
                    size: row.payload_size,
                    cut: row.payload_size > 256,
                },
                undefined,
                row.name
            )
        }
    }

    const search = text_input(
        'Search topics',
        state.search || state.topic,
        (value) => state.change({ search: value }),
        {
            placeholder: 'part of a name, or a filter with + or #',
            type: 'search',
            style: 'width:16rem',
        }
    )
    const collapse = button('Close all', 'Close all levels', () => {
        open.clear()
        flatten()
    })
    if (!state.search && state.topic) {
        state.change({ search: state.topic })
    }
    refresh()
    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                h('h2', {}, 'Topics'),
                search,
                select(
                    'Order',
                    [
                        ['name', 'by name'],
                        ['messages', 'most messages'],
                        ['bytes', 'most bytes'],
                        ['recent', 'most recent'],
                    ],
                    order,
                    (value) => {
                        order = value
                        keep_setting('topic_order', value)
                        refresh()
                    }
                ),
                collapse,
                said,
                error
            ),
            h(
                'div.columns',
                { style: 'grid-template-columns: minmax(0, 2.1fr) minmax(0, 1fr)' },
                rows.element,
                h(
                    'div.stack.rolls',
                    { tabindex: '0', role: 'region', 'aria-label': 'Topic' },
                    h('section.panel', {}, h('div.head', {}, title, to_messages), facts, newest),
                    inspector.element
                )
            )
        ),
        draw() {},
        changed(names) {
            if (names.has('search') || names.has('topic')) {
                if (names.has('topic') && !names.has('search')) {
                    state.search = state.topic
                }
                if (document.activeElement !== search) {
                    search.value = state.search
                }
                levels.clear()
                rows.element.scrollTop = 0
                refresh()
            } else if (names.has('at')) {
                again = true
                refresh()
                if (selected?.is_topic) {
                    messages.set({ ...context.at(), filter: selected.name, limit: 8 })
                }
            } else if (names.has('theme')) {
                rows.draw()
            }
        },
        keys(event) {
            const entry = rows.selected >= 0 ? shown[rows.selected] : null
            if (
                rows.element.contains(event.target) &&
                entry?.row &&
                event.key.startsWith('Arrow')
            ) {
                const is_open = open.has(entry.row.name)
                if (
                    (event.key === 'ArrowRight' && entry.row.children > 0 && !is_open) ||
                    (event.key === 'ArrowLeft' && is_open)
                ) {
                    toggle(entry.row)
                    return true
                }
            }
            return list_key(rows, event)
        },
        close() {
            closed = true
            clearInterval(timer)
        },
    }
}
