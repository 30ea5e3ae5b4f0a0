// Messages, filtered, and the page of one: its journey, its deliveries, its content.

import {
    VirtualTable,
    button,
    copy_button,
    field,
    fill,
    h,
    select,
    select_value,
    table,
    text_input,
} from '../dom.js'
import { MESSAGE_STATES, bytes, clock, lasting, whole, words } from '../format.js'
import { source } from '../history.js'
import { Inspector } from '../payload.js'
import { sequence } from '../sequence.js'
import { state } from '../state.js'
import { list_key } from './devices.js'

const PAGE = 200
const ROWS_MAX = 4000

export function message_mark(name) {
    const [glyph, colour] = MESSAGE_STATES[name] ?? ['·', 'grey']
    return [h(`span.glyph.${colour}`, { 'aria-hidden': 'true' }, glyph), words(name)]
}

export function create(context) {
    return state.message === null ? list(context) : page(context)
}

function list(context) {
    let newest = []
    let older = []
    let pending = false
    let at_end = false
    const said = h('span.said')
    const rows = new VirtualTable(
        'Messages',
        [
            { name: 'number', width: '5.6rem', number: true, cell: (row) => row.message },
            {
                name: 'at',
                width: '7.7rem',
                title: 'The broker had it',
                cell: (row) => h('span.mono', {}, clock(row.at, 3)),
            },
            {
                name: 'publisher',
                width: '8rem',
                cell: (row) => h('span', { title: row.publisher }, row.publisher),
            },
            {
                name: 'topic',
                width: 'auto',
                cell: (row) => h('span', { title: row.topic }, row.topic),
            },
            { name: 'QoS', width: '3.1rem', number: true, cell: (row) => row.qos },
            { name: '★', title: 'retain', width: '2rem', cell: (row) => (row.retain ? '★' : '') },
            { name: 'size', width: '4.6rem', number: true, cell: (row) => bytes(row.size) },
            {
                name: 'delivered',
                width: '5.6rem',
                number: true,
                cell: (row) => `${whole(row.delivered)} of ${whole(row.deliveries)}`,
            },
            { name: 'resent', width: '4.1rem', number: true, cell: (row) => row.resent || '' },
            { name: 'state', width: '6.7rem', cell: (row) => message_mark(row.state) },
            { name: 'reason', width: '7.4rem', cell: (row) => words(row.reason) },
        ],
        {
            row: (index) =>
                index < newest.length ? newest[index] : (older[index - newest.length] ?? null),
            wanted: (from, count) => {
                if (from + count >= rows.count && rows.count >= PAGE) {
                    more()
                }
            },
            open: (row) => state.go('messages', { message: row.message }),
            key: (row) => row.message,
        }
    )

    const parameters = () => ({
        ...context.at(),
        filter: state.topic,
        client: state.client,
        ...(state.qos === null ? {} : { qos: state.qos }),
        ...(state.state === '' ? {} : { state: state.state }),
        reason: state.reason,
    })
    let answer = null
    function say() {
        rows.count = newest.length + older.length
        said.title = said.textContent = !answer
            ? ''
            : `${whole(rows.count)} shown` +
              (rows.count >= ROWS_MAX ? ', more are not kept here: narrow the filter' : '') +
              `; ${answer.one_in > 1 ? `one in ${whole(answer.one_in)} is kept` : 'all are kept'}` +
              (answer.kept_from > (source.description?.begin ?? 0)
                  ? `, since ${clock(answer.kept_from, 1)}`
                  : '')
    }
    const watch = context.watch('messages', 0.5, (heard) => {
        answer = heard
        // What the newest page no longer has stands below it, if nothing is missing between.
        const last = heard.rows.at(-1)?.message
        const seen = newest[0]?.message
        if (last !== undefined && (older.length !== 0 || newest.length !== 0)) {
            const before = [...newest, ...older].filter((each) => each.message < last)
            older =
                seen !== undefined && last <= seen
                    ? before.slice(0, ROWS_MAX - heard.rows.length)
                    : []
            at_end = at_end && older.length !== 0
        }
        newest = heard.rows
        // Whoever reads further down is not pushed about.
        const top = rows.element.scrollTop
        const come =
            seen === undefined || top === 0 ? 0 : newest.findIndex((each) => each.message <= seen)
        say()
        rows.draw()
        if (come > 0) {
            rows.element.scrollTop = top + come * 26
        }
    })
    const ask = () => watch.set({ ...parameters(), limit: PAGE })
    function restart() {
        newest = []
        older = []
        at_end = false
        rows.element.scrollTop = 0
        ask()
    }
    async function more() {
        const last = (older.at(-1) ?? newest.at(-1))?.message
        if (pending || at_end || last === undefined || rows.count >= ROWS_MAX) {
            return
        }
        pending = true
        const asked = JSON.stringify(parameters())
        try {
            const heard = await context.feed.ask('messages', {
                ...parameters(),
                before: last,
                limit: PAGE,
            })
            if (
                asked === JSON.stringify(parameters()) &&
                (older.at(-1) ?? newest.at(-1))?.message === last
            ) {
                older.push(...heard.rows)
                at_end = heard.rows.length < PAGE
                say()
                rows.draw()
            }
        } catch (problem) {
            context.tell('messages', problem.message, { seconds: 8 })
        }
        pending = false
    }

    const topic = text_input(
        'Topic filter',
        state.topic,
        (value) => state.change({ topic: value }),
        { placeholder: 'a/+/#', style: 'width:11rem' }
    )
    const client = text_input('Client', state.client, (value) => state.change({ client: value }), {
        placeholder: 'name or client id',
        style: 'width:10rem',
    })
    const qos = select(
        'QoS',
        [
            ['', 'any'],
            [0, '0'],
            [1, '1'],
            [2, '2'],
        ],
        state.qos,
        (value) => state.change({ qos: value === '' ? null : Number(value) })
    )
    const what = select(
        'State',
        [
            ['', 'any'],
            ...Object.entries(MESSAGE_STATES).map(([name, [glyph]]) => [
                name,
                `${glyph} ${words(name)}`,
            ]),
        ],
        state.state,
        (value) => state.change({ state: value })
    )
    const why = select(
        'Reason of a loss',
        [
            ['', 'any'],
            ...source.description.drop_reasons
                .filter((each) => each !== 'none')
                .map((each) => [each, words(each)]),
            ['lost', 'lost'],
        ],
        state.reason,
        (value) => state.change({ reason: value })
    )
    restart()
    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                h('h2', {}, 'Messages'),
                field('topic', topic),
                field('client', client),
                field('QoS', qos),
                field('state', what),
                field('reason', why)
            ),
            rows.element,
            h('div.head', { style: 'min-height:1.4rem' }, said)
        ),
        draw() {},
        changed(names) {
            if (['topic', 'client', 'qos', 'state', 'reason'].some((each) => names.has(each))) {
                for (const [input, value] of [
                    [topic, state.topic],
                    [client, state.client],
                ]) {
                    if (document.activeElement !== input) {
                        input.value = value
                    }
                }
                select_value(qos, state.qos)
                select_value(what, state.state)
                select_value(why, state.reason)
                restart()
            } else if (names.has('at')) {
                restart()
            }
        },
        keys: (event) => list_key(rows, event),
    }
}

function page(context) {
    const number = state.message
    const error = h('p.error', { role: 'alert' })
    const facts = h('section.panel')
    const journey = h('section.panel.rolls')
    const deliveries = h('section.panel.rolls')
    const inspector = new Inspector()
    const look = button('To its moment', 'Look at the instant at which the broker had it', () =>
        state.change({ at: seen?.message.at })
    )
    let seen = null
    let drawn = ''
    const watch = context.watch(
        'message',
        0.5,
        (answer) => {
            error.textContent = ''
            seen = answer
            const text = JSON.stringify(answer)
            if (text !== drawn) {
                drawn = text
                show(answer)
            }
        },
        (text) => {
            error.textContent = text
        }
    )
    watch.set({ message: number })

    function show(answer) {
        const { message } = answer
        fill(
            facts,
            h('h3', {}, 'Message'),
            h(
                'dl.facts',
                {},
                [
                    [
                        'state',
                        h(
                            'span',
                            {},
                            message_mark(message.state),
                            message.reason ? `: ${words(message.reason)}` : ''
                        ),
                    ],
                    [
                        'topic',
                        h(
                            'button.link',
                            {
                                type: 'button',
                                title: 'Messages of this topic',
                                on: {
                                    click: () =>
                                        state.go('messages', {
                                            topic: message.topic,
                                            client: '',
                                            qos: null,
                                            state: '',
                                            reason: '',
                                        }),
                                },
                            },
                            message.topic
                        ),
                    ],
                    [
                        'publisher',
                        h(
                            'button.link',
                            {
                                type: 'button',
                                title: 'Its page',
                                on: {
                                    click: () => state.go('devices', { device: message.publisher }),
                                },
                            },
                            message.publisher
                        ),
                    ],
                    ['QoS', `${message.qos}${message.retain ? ', retain' : ''}`],
                    [
                        'published',
                        answer.published === undefined ? 'not known' : clock(answer.published, 6),
                    ],
                    ['at the broker', clock(message.at, 6)],
                    [
                        'deliveries',
                        `${whole(message.delivered)} of ${whole(message.deliveries)}, ` +
                            `${whole(message.resent)} resent`,
                    ],
                    ['size', bytes(message.size)],
                    ...answer.properties.map((each) => [each.name, h('span.mono', {}, each.value)]),
                ].map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
            )
        )
        fill(
            journey,
            h('h3', {}, 'Journey'),
            answer.steps.length === 0
                ? h('p.dim', {}, 'No step of it is known.')
                : sequence(answer.steps, message, Math.max(300, journey.clientWidth - 26)),
            message.deliveries > 20
                ? h(
                      'p.dim',
                      {},
                      `Shown are 20 deliveries at most, of ${whole(message.deliveries)}.`
                  )
                : null
        )
        const late = (row, end) =>
            end === undefined ? '–' : lasting(end - (answer.published ?? message.at))
        fill(
            deliveries,
            h(
                'h3',
                {},
                `Deliveries${
                    message.deliveries > answer.deliveries.length
                        ? `: ${whole(answer.deliveries.length)} of ${whole(message.deliveries)}`
                        : ''
                }`
            ),
            table(
                'Deliveries',
                [
                    {
                        name: 'receiver',
                        cell: (row) =>
                            h(
                                'button.link',
                                {
                                    type: 'button',
                                    title: 'Its page',
                                    on: {
                                        click: () => state.go('devices', { device: row.receiver }),
                                    },
                                },
                                row.receiver
                            ),
                    },
                    { name: 'QoS', number: true, cell: (row) => row.qos },
                    {
                        name: 'state',
                        cell: (row) =>
                            words(row.state) + (row.reason ? `: ${words(row.reason)}` : ''),
                    },
                    { name: 'made', number: true, cell: (row) => late(row, row.made) },
                    { name: 'sent', number: true, cell: (row) => late(row, row.sent) },
                    { name: 'received', number: true, cell: (row) => late(row, row.received) },
                    { name: 'ended', number: true, cell: (row) => late(row, row.ended) },
                    { name: 'resent', number: true, cell: (row) => row.resent || '' },
                    { name: 'copies', number: true, cell: (row) => row.copies || '' },
                ],
                answer.deliveries
            ),
            h('p.dim', {}, 'Times are from when it was published.')
        )
        inspector.show(answer.payload, answer.payload_before, message.topic)
    }

    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                button('‹ Back', 'Back (Esc)', () => state.back()),
                h('h2', {}, `Message ${number}`),
                look,
                copy_button(() => JSON.stringify(seen, null, 2)),
                error
            ),
            h(
                'div.columns',
                { style: 'grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr)' },
                h(
                    'div.stack.rolls',
                    { tabindex: '0', role: 'region', 'aria-label': 'Journey and deliveries' },
                    journey,
                    deliveries
                ),
                h(
                    'div.stack.rolls',
                    { tabindex: '0', role: 'region', 'aria-label': 'Message and payload' },
                    facts,
                    inspector.element
                )
            )
        ),
        draw() {},
        changed() {},
    }
}
