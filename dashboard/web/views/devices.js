// Devices, sorted and searched, and the page of one.

import { VirtualTable, fill, h, select, select_value, table, text_input, button } from '../dom.js'
import {
    DEVICE_STATES,
    EVENT_GLYPHS,
    bytes,
    clock,
    colours,
    lasting,
    short,
    whole,
    words,
} from '../format.js'
import { source, time_range } from '../history.js'
import { Lanes } from '../plots.js'
import { keep_setting, settings, state } from '../state.js'
import { event_columns } from './log.js'

const PAGE = 100
const PAGES_MAX = 40

export function state_mark(name) {
    const found = DEVICE_STATES.find((each) => each.name === name)
    const colour =
        {
            unseen: 'grey',
            connected: 'green',
            offline: 'blue',
            refused: 'orange',
            faulted: 'vermillion',
        }[name] ?? 'grey'
    return [h(`span.glyph.${colour}`, { 'aria-hidden': 'true' }, found?.glyph ?? '·'), name]
}

const ORDERS = ['name', 'published', 'received', 'backlog', 'losses', 'connects']

export function create(context) {
    return state.device === '' ? list(context) : page(context)
}

function list(context) {
    let pages = new Map() // offset -> rows, the newest asked for last
    let all = 0
    let order = settings.device_order ?? 'name'
    let fleet = ''
    let wanted_state = ''
    let offset = 0
    const said = h('span.said')
    const by = (name) => () => {
        order = name
        keep_setting('device_order', name)
        restart()
    }
    const number = (name, text, title) => ({
        name: text,
        title,
        width: '6.3rem',
        number: true,
        order: name,
        sort: by(name),
        cell: (row) => whole(row[name]),
    })
    const rows = new VirtualTable(
        'Devices',
        [
            {
                name: 'device',
                width: 'auto',
                order: 'name',
                sort: by('name'),
                cell: (row) => row.name,
            },
            {
                name: 'client id',
                width: '13rem',
                cell: (row) => h('span', { title: row.client_id }, row.client_id),
            },
            { name: 'state', width: '7.5rem', cell: (row) => state_mark(row.state) },
            number('published', 'published', 'Messages that a broker had of it'),
            number('received', 'received', 'Deliveries that it received'),
            number('backlog', 'backlog', 'Deliveries that wait for it now'),
            number('losses', 'losses', 'Deliveries to it that were dropped or lost'),
            number('connects', 'connects', 'How often it was connected'),
        ],
        {
            row: (index) => pages.get(Math.floor(index / PAGE) * PAGE)?.[index % PAGE] ?? null,
            wanted: (from, count) => {
                const middle = Math.floor((from + count / 2) / PAGE) * PAGE
                const missing = [
                    Math.floor(from / PAGE) * PAGE,
                    middle,
                    Math.floor((from + count) / PAGE) * PAGE,
                ].find((each) => !pages.has(each) && each < Math.max(all, 1))
                const next = missing ?? middle
                if (next !== offset) {
                    offset = next
                    ask()
                }
            },
            open: (row) => state.go('devices', { device: row.name || row.client_id }),
            key: (row) => row.device,
        }
    )
    const search = text_input(
        'Search devices',
        state.search || state.client,
        (value) => state.change({ search: value }),
        { placeholder: 'part of a name or client id', type: 'search' }
    )
    const watch = context.watch('devices', 1, (answer, asked) => {
        all = answer.all
        rows.count = answer.all
        pages.delete(asked.offset)
        pages.set(asked.offset, answer.rows)
        while (pages.size > PAGES_MAX) {
            pages.delete(pages.keys().next().value)
        }
        said.title =
            said.textContent = `${context.present_note('devices')}${whole(answer.all)} devices`
        rows.draw()
    })
    const ask = () =>
        watch.set({
            ...context.at('devices'),
            search: state.search || state.client,
            fleet,
            ...(wanted_state ? { state: wanted_state } : {}),
            order,
            offset,
            limit: PAGE,
        })
    function restart() {
        pages = new Map()
        offset = 0
        rows.element.scrollTop = 0
        rows.sorted(order)
        ask()
    }
    const fleets = ['', ...source.description.fleets.map((each) => each.name)]
    restart()
    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                h('h2', {}, 'Devices'),
                search,
                select(
                    'Fleet',
                    fleets.map((each) => [each, each || 'all fleets']),
                    '',
                    (value) => {
                        fleet = value
                        restart()
                    }
                ),
                select(
                    'State',
                    [
                        ['', 'any state'],
                        ...DEVICE_STATES.map((each) => [each.name, `${each.glyph} ${each.name}`]),
                    ],
                    '',
                    (value) => {
                        wanted_state = value
                        restart()
                    }
                ),
                said
            ),
            rows.element
        ),
        draw() {},
        changed(names) {
            if (names.has('search') || names.has('client')) {
                if (document.activeElement !== search) {
                    search.value = state.search || state.client
                }
                restart()
            } else if (names.has('at')) {
                pages = new Map()
                ask()
            }
        },
        keys: (event) => list_key(rows, event),
    }
}

// Arrows move in the list even while it has no focus.
export function list_key(rows, event) {
    if (
        ['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Enter'].includes(event.key) &&
        !rows.element.contains(event.target) &&
        !event.target.matches?.('button, a, summary')
    ) {
        rows.element.focus()
        rows.element.dispatchEvent(new KeyboardEvent('keydown', { key: event.key }))
        return true
    }
    return false
}

const LANES = [
    [
        'session',
        [
            'connected',
            'disconnected',
            'refused',
            'session_ended',
            'subscribed',
            'unsubscribed',
            'will',
        ],
    ],
    ['publishes', ['published', 'copy', 'routed', 'retained', 'completed']],
    ['receives', ['queued', 'sent', 'resent', 'received', 'acknowledged']],
    ['loses', ['dropped', 'lost']],
    ['faults', ['fault', 'healed', 'violation', 'annotation', 'command', 'gap']],
]

function page(context) {
    const name = state.device
    let answer = null
    const title = h('h2', {}, name)
    const facts = h('dl.facts')
    const counts = h('dl.facts')
    const subscriptions = h('div.rolls', { style: 'max-height:11rem' })
    const complete = h('span.said')
    const error = h('p.error', { role: 'alert' })
    const lanes = new Lanes(`What happened to ${name}`, 5 * 26 + 26, () => lane_items(answer), {
        left: 84,
        press: (spot) =>
            spot.message !== undefined && state.go('messages', { message: spot.message }),
    })
    lanes.range = () => lane_range(answer)
    lanes.on_resize = context.invalidate
    const events = new VirtualTable('Events', event_columns(false), {
        row: (index) => answer?.events[answer.events.length - 1 - index] ?? null,
        open: (row) => row.message !== undefined && state.go('messages', { message: row.message }),
        key: (row) => `${row.at} ${row.what} ${row.message}`,
    })
    const messages = button('Its messages', 'Messages that it published or received', () =>
        state.go('messages', { client: answer?.device.name || name })
    )
    const disconnect = button('Disconnect', 'Let the broker disconnect it', () =>
        context.command('disconnect', { client: answer.device.client_id || name }, 'Disconnected.')
    )
    disconnect.disabled = !source.description.can_control
    if (disconnect.disabled) {
        disconnect.title = 'not now: this source takes no commands'
    }
    const watch = context.watch(
        'device',
        0.5,
        (heard) => {
            answer = heard
            error.textContent = ''
            show()
        },
        (text) => {
            error.textContent = text
        }
    )
    const ask = () => watch.set({ ...context.at(), name, events: 500 })
    ask()

    function show() {
        const { device } = answer
        title.textContent = device.name || device.client_id
        const described = (rows) =>
            rows
                .filter(([, value]) => value !== undefined && value !== '')
                .map(([key, value]) => [h('dt', {}, key), h('dd', {}, value)])
        fill(
            facts,
            described([
                ['state', h('span', {}, state_mark(device.state))],
                ['client id', device.client_id],
                ['fleet', answer.fleet],
                ['network', answer.network],
                ['broker', answer.broker],
                [
                    'protocol',
                    answer.protocol === undefined
                        ? ''
                        : answer.protocol === 5
                          ? 'MQTT 5.0'
                          : 'MQTT 3.1.1',
                ],
                [
                    'connected',
                    answer.connected_since === undefined
                        ? device.state === 'connected'
                            ? 'yes'
                            : 'no'
                        : `since ${clock(answer.connected_since, 3)}, ` +
                          lasting(answer.at - answer.connected_since),
                ],
            ])
        )
        fill(
            counts,
            described([
                ['published', whole(device.published)],
                ['received', whole(device.received)],
                ['backlog at the broker', whole(device.backlog)],
                [
                    'its own, not got rid of',
                    answer.waiting === undefined ? '' : whole(answer.waiting),
                ],
                ['dropped or lost', whole(device.losses)],
                ['connects', whole(device.connects)],
                ['memory', answer.memory_bytes === undefined ? '' : bytes(answer.memory_bytes)],
            ])
        )
        fill(
            subscriptions,
            answer.subscriptions.length === 0
                ? h('p.dim', {}, 'none')
                : table(
                      'Subscriptions',
                      [
                          { name: 'filter', cell: (row) => row.filter },
                          { name: 'QoS', number: true, cell: (row) => row.qos },
                      ],
                      answer.subscriptions
                  )
        )
        complete.textContent =
            `${whole(answer.events.length)} events, ` +
            (answer.events_complete
                ? 'nothing between them is missing'
                : 'not all: from now on all that happens to it is kept')
        events.count = answer.events.length
        events.draw()
    }

    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                button('‹ Back', 'Back (Esc)', () => state.back()),
                title,
                messages,
                disconnect,
                error
            ),
            h(
                'div.columns',
                { style: 'grid-template-columns: 1fr 1fr 1.2fr; flex: none; min-height: 12rem' },
                h('section.panel', {}, h('h3', {}, 'Session'), facts),
                h('section.panel', {}, h('h3', {}, 'Counts'), counts),
                h('section.panel', {}, h('h3', {}, 'Subscriptions'), subscriptions)
            ),
            h(
                'figure.chart',
                {},
                h('figcaption', {}, h('span.chart_title', {}, 'Timeline'), complete),
                lanes.element
            ),
            events.element
        ),
        draw() {
            lanes.draw()
        },
        changed(names) {
            if (names.has('device')) {
                context.invalidate()
            }
            if (names.has('at')) {
                ask()
            }
        },
        keys: (event) => list_key(events, event),
    }
}

// The range of its events where that is narrower than the charts': a device says little in a day.
function lane_range(answer) {
    const shown = time_range()
    if (!answer || answer.events.length === 0 || state.from !== null || state.window !== null) {
        return shown
    }
    const from = answer.events[0].at
    const until = Math.max(answer.at, answer.events.at(-1).at)
    const margin = Math.max((until - from) * 0.03, 0.01)
    return { from: Math.max(source.description.begin, from - margin), until: until + margin }
}

function lane_items(answer) {
    if (!answer) {
        return []
    }
    const out = LANES.map(([name]) => ({ name, items: [] }))
    let since =
        answer.events.find((each) => each.what === 'connected' || each.what === 'disconnected')
            ?.what === 'disconnected'
            ? answer.events[0].at
            : null
    const bar = (until) =>
        out[0].items.unshift({ from: since, until, colour: 'green', text: 'connected' })
    for (const each of answer.events) {
        if (each.what === 'connected') {
            since = each.at
        } else if (each.what === 'disconnected' && since !== null) {
            bar(each.at)
            since = null
        }
        const lane = LANES.findIndex(([, whats]) => whats.includes(each.what))
        const [glyph, colour] = EVENT_GLYPHS[each.what] ?? ['·', 'grey']
        out[lane < 0 ? 4 : lane].items.push({
            from: each.at,
            glyph,
            colour,
            message: each.message,
            text: `${clock(each.at, 3)} ${words(each.what)} ${each.topic} ${each.text}`.trim(),
        })
    }
    if (since !== null) {
        bar(answer.at)
    }
    return out
}
