// What happened, in words, the newest below.

import { VirtualTable, h, text_input } from '../dom.js'
import { EVENT_GLYPHS, clock, whole, words } from '../format.js'
import { keep_setting, settings, state } from '../state.js'

export function event_glyph(what) {
    const [glyph, colour] = EVENT_GLYPHS[what] ?? ['·', 'grey']
    return h(`span.glyph.${colour}`, { 'aria-hidden': 'true' }, glyph)
}

export const event_columns = (with_who) => [
    { name: 'time', width: '8.5rem', cell: (row) => h('span.mono', {}, clock(row.at, 3)) },
    { name: 'what', width: '9rem', cell: (row) => [event_glyph(row.what), words(row.what)] },
    ...(with_who
        ? [{ name: 'who', width: '11rem', cell: (row) => h('span', { title: row.who }, row.who) }]
        : []),
    { name: 'message', width: '6rem', number: true, cell: (row) => row.message ?? '' },
    {
        name: 'topic or filter',
        width: '14rem',
        cell: (row) => h('span', { title: row.topic }, row.topic),
    },
    { name: 'QoS', width: '3.4rem', number: true, cell: (row) => row.qos ?? '' },
    { name: 'text', width: 'auto', cell: (row) => h('span', { title: row.text }, row.text) },
]

export function create(context) {
    let answer = { forgotten: 0, rows: [] }
    const said = h('span.said')
    const rows = new VirtualTable('Log', event_columns(true), {
        row: (index) => answer.rows[index] ?? null,
        open: (row) =>
            row.message !== undefined
                ? state.go('messages', { message: row.message })
                : row.who !== '' && state.go('devices', { device: row.who }),
        key: (row) => `${row.at} ${row.what} ${row.who} ${row.message}`,
    })
    const connections = h('input', {
        type: 'checkbox',
        checked: settings.connections,
        on: {
            change: (event) => {
                keep_setting('connections', event.target.checked)
                ask()
            },
        },
    })
    const search = text_input(
        'Search the log',
        state.search,
        (value) => state.change({ search: value }),
        { placeholder: 'part of a line', type: 'search' }
    )
    const watch = context.watch('log', 0.5, (heard) => {
        const follow =
            rows.element.scrollTop + rows.element.clientHeight >= rows.element.scrollHeight - 40
        answer = heard
        rows.count = heard.rows.length
        said.title = said.textContent =
            `${whole(heard.rows.length)} lines` +
            (heard.rows.length >= 1000 ? ', the newest that match' : '') +
            (heard.forgotten ? `; ${whole(heard.forgotten)} older ones are forgotten` : '')
        rows.draw()
        if (follow) {
            rows.element.scrollTop = rows.element.scrollHeight
            rows.draw()
        }
    })
    const ask = () =>
        watch.set({
            ...context.at(),
            search: state.search,
            connections: settings.connections,
            limit: 1000,
        })
    ask()
    return {
        element: h(
            'div.view',
            {},
            h(
                'div.head',
                {},
                h('h2', {}, 'Log'),
                search,
                h('label.field', {}, connections, 'connections and subscriptions'),
                said
            ),
            rows.element
        ),
        draw() {},
        changed(names) {
            if (names.has('at') || names.has('search')) {
                if (document.activeElement !== search) {
                    search.value = state.search
                }
                ask()
            }
        },
    }
}
