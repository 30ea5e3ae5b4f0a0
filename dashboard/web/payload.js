// What a payload is: text, a JSON tree, CBOR, Sparkplug B, bytes, and what changed since the
// message before in the same topic.

import { copy_button, fill, h, table } from './dom.js'
import { bytes as bytes_text, date_time, whole } from './format.js'
import { decode_cbor } from './cbor.js'
import { diff } from './diff.js'
import { decode_sparkplug } from './sparkplug.js'
import { keep_setting, settings } from './state.js'

const TEXT_MAX = 64 * 1024
const HEX_MAX = 4096
const TREE_MAX = 2000
const DIFF_LINES_MAX = 800

export function payload_bytes(view) {
    if (view.encoding === 'base64') {
        return Uint8Array.from(atob(view.text), (each) => each.charCodeAt(0))
    }
    return new TextEncoder().encode(view.text)
}

// The name of each form, and the form, or null where the payload is not of it.
const FORMS = {
    sparkplug: [
        'Sparkplug',
        (view, topic) =>
            topic.startsWith('spBv1.0/') || settings.payload === 'sparkplug'
                ? sparkplug_view(decode_sparkplug(payload_bytes(view)))
                : null,
    ],
    json: [
        'JSON',
        (view) =>
            view.encoding === 'text' && /^\s*[[{]/.test(view.text)
                ? tree(JSON.parse(view.text))
                : null,
    ],
    text: ['Text', (view) => (view.encoding === 'text' ? text_view(view.text) : null)],
    cbor: [
        'CBOR',
        (view) =>
            view.size > 0 && (view.encoding === 'base64' || settings.payload === 'cbor')
                ? tree(decode_cbor(payload_bytes(view)))
                : null,
    ],
    hex: ['Hex', (view) => hex_view(payload_bytes(view))],
    diff: ['Diff', (view, topic, before) => (before ? diff_view(before, view) : null)],
}

export class Inspector {
    constructor() {
        this.tabs = h('div.tabs', { role: 'tablist', 'aria-label': 'Form of the payload' })
        this.body = h('div', { role: 'tabpanel', 'aria-label': 'Payload' })
        this.said = h('span.dim')
        this.element = h(
            'section.panel',
            {},
            h(
                'div.head',
                {},
                h('h3', {}, 'Payload'),
                this.said,
                copy_button(() => this.view?.text ?? '')
            ),
            this.tabs,
            this.body
        )
        fill(this.body, h('p.empty', {}, 'Nothing is selected.'))
    }

    show(view, before, topic) {
        const key = JSON.stringify([view, before, topic, settings.payload])
        if (key === this.key) {
            return
        }
        this.key = key
        Object.assign(this, { view, before, topic })
        const made = {}
        const why = {}
        for (const [name, [, form]] of Object.entries(FORMS)) {
            try {
                made[name] = form(view, topic, before)
            } catch (problem) {
                made[name] = null
                why[name] = problem.message
            }
        }
        const chosen = made[settings.payload]
            ? settings.payload
            : Object.keys(FORMS).find((name) => made[name] && name !== 'diff')
        this.said.textContent =
            `${bytes_text(view.size)}` +
            (view.cut ? `, only the first ${bytes_text(payload_bytes(view).length)} are here` : '')
        fill(
            this.tabs,
            Object.entries(FORMS).map(([name, [title]]) =>
                h(
                    'button',
                    {
                        type: 'button',
                        role: 'tab',
                        'aria-selected': name === chosen ? 'true' : 'false',
                        'aria-pressed': name === chosen ? 'true' : 'false',
                        disabled: made[name] === null && !(name === 'cbor' || name === 'sparkplug'),
                        title:
                            made[name] !== null
                                ? title
                                : name === 'diff'
                                  ? 'There is no message before in this topic'
                                  : why[name]
                                    ? `Not ${title}: ${why[name]}`
                                    : `Try to read it as ${title}`,
                        on: {
                            click: () => {
                                keep_setting('payload', name)
                                this.show(view, before, topic)
                            },
                        },
                    },
                    title
                )
            )
        )
        const failed =
            settings.payload in why && made[settings.payload] === null
                ? h('p.error', {}, `Not ${FORMS[settings.payload][0]}: ${why[settings.payload]}`)
                : null
        fill(
            this.body,
            failed,
            view.size === 0
                ? h('p.dim', { style: 'margin-top:.4rem' }, 'The payload is empty.')
                : made[chosen]
        )
    }
}

const text_view = (text) =>
    h(
        'pre.payload',
        { tabindex: '0' },
        text.slice(0, TEXT_MAX),
        text.length > TEXT_MAX
            ? h('span.dim', {}, `\n… ${whole(text.length - TEXT_MAX)} more characters`)
            : null
    )

export function hex_lines(data, most = HEX_MAX) {
    const lines = []
    for (let at = 0; at < Math.min(data.length, most); at += 16) {
        const row = [...data.subarray(at, Math.min(at + 16, data.length))]
        const hex = row.map((each) => each.toString(16).padStart(2, '0'))
        lines.push(
            `${at.toString(16).padStart(6, '0')}  ${hex.slice(0, 8).join(' ').padEnd(23)}  ` +
                `${hex.slice(8).join(' ').padEnd(23)}  ` +
                row
                    .map((each) => (each >= 32 && each < 127 ? String.fromCharCode(each) : '.'))
                    .join('')
        )
    }
    return lines
}

const hex_view = (data) =>
    h(
        'pre.payload.hex',
        { tabindex: '0' },
        hex_lines(data).join('\n'),
        data.length > HEX_MAX ? `\n… ${whole(data.length - HEX_MAX)} more bytes` : null
    )

// A tree that folds; what is large stands folded, and its children are made when it opens.
export function tree(value) {
    const left = { nodes: TREE_MAX }
    return h('div.payload.mono', { tabindex: '0' }, node(null, value, 0, left))
}

function node(name, value, depth, left) {
    const key = name === null ? null : [h('span.key', {}, name), ': ']
    if (--left.nodes < 0) {
        return left.nodes === -1 ? h('div.dim', {}, '… more') : null
    }
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) {
        return h('div', {}, key, leaf(value))
    }
    const entries = value instanceof Map ? [...value] : Object.entries(value)
    const list = Array.isArray(value)
    const mark = `${list ? '[' : '{'}${entries.length}${list ? ']' : '}'}`
    if (entries.length === 0) {
        return h('div', {}, key, mark)
    }
    const out = h('details', {}, h('summary', {}, key ?? '', h('span.dim', {}, mark)))
    let filled = false
    const unfold = () => {
        if (!filled) {
            filled = true
            const inner = depth < 2 ? left : { nodes: TREE_MAX }
            out.append(
                ...entries
                    .map(([k, v]) =>
                        node(
                            typeof k === 'object'
                                ? JSON.stringify(k, (_, each) =>
                                      typeof each === 'bigint' ? String(each) : each
                                  )
                                : String(k),
                            v,
                            depth + 1,
                            inner
                        )
                    )
                    .filter(Boolean)
            )
        }
    }
    out.addEventListener('toggle', unfold)
    if (depth < 2 && entries.length <= 60) {
        unfold()
        out.open = true
    }
    return out
}

function leaf(value) {
    if (typeof value === 'string') {
        return h('span.string', {}, JSON.stringify(value))
    }
    if (value instanceof Uint8Array) {
        return h(
            'span',
            {},
            `${whole(value.length)} bytes: ${[...value.subarray(0, 24)]
                .map((each) => each.toString(16).padStart(2, '0'))
                .join(' ')}${value.length > 24 ? ' …' : ''}`
        )
    }
    return h(
        typeof value === 'number' || typeof value === 'bigint' ? 'span' : 'span.constant',
        {},
        String(value)
    )
}

function sparkplug_view(payload) {
    return h(
        'div',
        { style: 'margin-top:.4rem' },
        h(
            'dl.facts',
            {},
            [
                [
                    'timestamp',
                    payload.timestamp === undefined
                        ? 'none'
                        : date_time(Number(payload.timestamp) / 1000),
                ],
                ['seq', payload.seq === undefined ? 'none' : String(payload.seq)],
                ...(payload.uuid ? [['uuid', payload.uuid]] : []),
                ...(payload.body ? [['body', leaf(payload.body)]] : []),
            ].map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
        ),
        h(
            'div.rolls',
            { style: 'max-height:18rem;margin-top:.4rem' },
            table(
                'Metrics',
                [
                    { name: 'name', cell: (each) => each.name ?? '' },
                    {
                        name: 'alias',
                        number: true,
                        cell: (each) => (each.alias === undefined ? '' : String(each.alias)),
                    },
                    { name: 'type', cell: (each) => each.type },
                    {
                        name: 'value',
                        cell: (each) =>
                            each.is_null ? h('span.constant', {}, 'null') : leaf_of(each.value),
                    },
                    { name: 'unit', cell: (each) => each.properties?.engUnit ?? '' },
                ],
                payload.metrics.slice(0, 500)
            )
        ),
        payload.metrics.length > 500
            ? h('p.dim', {}, `… ${whole(payload.metrics.length - 500)} more metrics`)
            : null
    )
}

const leaf_of = (value) =>
    value !== null && typeof value === 'object' && !(value instanceof Uint8Array)
        ? tree(value)
        : leaf(value)

// ---------------------------------------------------------------------------------------- diff

// Lines as they are compared: of JSON a member each.
function lines_of(view) {
    if (view.encoding === 'text') {
        try {
            return JSON.stringify(JSON.parse(view.text), null, 2).split('\n')
        } catch {
            return view.text.split('\n')
        }
    }
    return hex_lines(payload_bytes(view))
}

function diff_view(before, after) {
    const [old, now] = [lines_of(before), lines_of(after)]
    const rows = diff(old.slice(0, DIFF_LINES_MAX), now.slice(0, DIFF_LINES_MAX))
    const same = rows.every(([mark]) => mark === ' ')
    return h(
        'div',
        {},
        h(
            'p.dim',
            { style: 'margin-top:.4rem' },
            same
                ? 'The same as the message before in this topic.'
                : 'Against the message before in this topic: − was, + is.'
        ),
        h(
            'pre.payload',
            { tabindex: '0' },
            rows.map(([mark, line]) =>
                h(
                    mark === '+' ? 'div.added' : mark === '-' ? 'div.removed' : 'div',
                    {},
                    `${mark === '-' ? '−' : mark} ${line}`
                )
            )
        ),
        Math.max(old.length, now.length) > DIFF_LINES_MAX
            ? h('p.dim', {}, `Only the first ${whole(DIFF_LINES_MAX)} lines are compared.`)
            : null
    )
}
