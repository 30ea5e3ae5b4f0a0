// What went wrong, by itself or by hand: the timeline of faults, violations with their moment, and
// the buttons that begin and end faults.

import { button, copy_button, fill, h, keep_focus, select, table, text_input } from '../dom.js'
import { clock, lasting, whole, words } from '../format.js'
import { history_store, source } from '../history.js'
import { Lanes } from '../plots.js'
import { look_at } from '../chart.js'
import { state } from '../state.js'

const LANES_MAX = 7

// What a kind takes beside where and how long: member, label, what is proposed, and what it is made of
// what is typed; a Boolean is ticked.
const EXTRA = {
    latency: [['latency', 'added latency', '500ms']],
    bandwidth: [['bandwidth', 'bandwidth', '16kbit/s']],
    split: [['probability', 'probability', '0.5', Number]],
    cut_in_packet: [
        ['packet', 'in packet', 'PUBLISH'],
        ['byte', 'behind byte', '3', Number],
    ],
    clock_skew: [['rate', 'rate', '0.97', Number]],
    hostile_bytes: [['size', 'bytes', '64', Number]],
    broker_crash: [['power_cut', 'power cut, of a broker with storage', '', Boolean]],
}

const QUICK = [
    ['✂ Cut links', { kind: 'cut' }],
    ['║ Partition 30 s', { kind: 'partition', for: '30s' }],
    ['◷ Add 500 ms', { kind: 'latency', latency: '500ms', for: '60s' }],
    ['○ Power loss 30 s', { kind: 'power_loss', for: '30s' }],
    ['⚡ Crash the broker 10 s', { kind: 'broker_crash', for: '10s' }],
    ['◼ Stop the broker 10 s', { kind: 'broker_stop', for: '10s' }],
]

// Of a fault whose end is known before it comes, too.
const goes_on = (fault) =>
    fault.until === undefined || fault.until > (history_store.latest()?.at ?? Infinity)

export function create(context) {
    const description = source.description
    const why_not = description.can_control
        ? ''
        : description.kind === 'recording'
          ? 'a recording takes no commands'
          : 'this source takes no commands'
    const no_faults =
        why_not ||
        (description.fault_kinds.length === 0 ? 'there are no simulated devices or links here' : '')
    const lanes = new Lanes('Faults and violations over time', LANES_MAX * 24 + 26, () => items(), {
        left: 150,
        press: (spot) => look_at(spot.from),
    })
    lanes.on_resize = context.invalidate
    const more = h('span.legend')
    const faults = h('div')
    const violations = h('div')
    const error = h('p.error', { role: 'alert' })

    async function send(name, parameters, said) {
        error.textContent = ''
        try {
            const answer = await context.feed.ask(name, parameters)
            context.tell('command', `${said} at ${clock(answer.at, 3)}`, {
                kind: 'plain',
                seconds: 4,
            })
            return true
        } catch (problem) {
            error.textContent = problem.message
            return false
        }
    }

    const begin = (fault) =>
        send('fault', { fault: JSON.stringify(fault) }, `${words(fault.kind)} begun`)

    // ----------------------------------------------------------------------------- the form

    const kinds = description.fault_kinds
    let kind = kinds[0]?.name ?? ''
    const chosen = {}
    const where = h('span.fault_form')
    const input = (member, label, value = '', placeholder = null) =>
        h(
            'label',
            {},
            label,
            text_input(
                label,
                chosen[member] ?? value,
                (typed) => {
                    chosen[member] = typed
                },
                { class: 'short', disabled: no_faults !== '', 'data-member': member, placeholder }
            )
        )
    const tick = (member, label) =>
        h(
            'label',
            {},
            h('input', { type: 'checkbox', disabled: no_faults !== '', 'data-member': member }),
            label
        )
    function draw_form() {
        const info = kinds.find((each) => each.name === kind)
        const pick = (member, label, names) =>
            h(
                'label',
                {},
                label,
                select(
                    label,
                    names,
                    chosen[member] ?? '',
                    (value) => {
                        chosen[member] = value
                        if (member === 'fleet') {
                            delete chosen.cohort
                            draw_form()
                        }
                    },
                    { disabled: no_faults !== '' }
                )
            )
        const fleet = description.fleets.find((each) => each.name === chosen.fleet)
        fill(
            where,
            info?.hits_broker
                ? null
                : [
                      pick('fleet', 'fleet', [
                          ['', 'all fleets'],
                          ...description.fleets.map((each) => each.name),
                      ]),
                      fleet?.cohorts.length
                          ? pick('cohort', 'cohort', [['', 'all cohorts'], ...fleet.cohorts])
                          : null,
                      input('share', 'share, 0 to 1', '1'),
                  ],
            description.brokers.length > 1 || info?.hits_broker
                ? pick('broker', 'broker', [
                      ['', info?.hits_broker ? 'the first' : 'any broker'],
                      ...description.brokers,
                  ])
                : null,
            info?.lasts
                ? input('for', 'lasts', '', kind === 'take_over' ? 'till connected' : 'till healed')
                : null,
            (EXTRA[kind] ?? []).map(([member, label, value, as]) =>
                as === Boolean ? tick(member, label) : input(member, label, value)
            )
        )
    }
    function fault_of_form() {
        const out = { kind }
        for (const each of where.querySelectorAll('[data-member]')) {
            if (each.type === 'checkbox') {
                if (each.checked) {
                    out[each.dataset.member] = true
                }
                continue
            }
            const value = each.value.trim()
            const number =
                each.dataset.member === 'share' ||
                (EXTRA[kind] ?? []).some(
                    ([member, , , as]) => member === each.dataset.member && as === Number
                )
            if (value !== '' && !(each.dataset.member === 'share' && value === '1')) {
                out[each.dataset.member] = number ? Number(value) : value
            }
        }
        for (const member of ['fleet', 'cohort', 'broker']) {
            if (chosen[member]) {
                out[member] = chosen[member]
            }
        }
        if (kinds.find((each) => each.name === kind)?.hits_broker) {
            delete out.fleet
            delete out.cohort
        }
        return out
    }
    draw_form()
    const able = (element, why = no_faults) => {
        element.disabled = why !== ''
        if (why) {
            element.title = `not now: ${why}`
        }
        return element
    }
    const form = h(
        'div.fault_form',
        {},
        h(
            'label',
            {},
            'kind',
            able(
                select(
                    'Kind of fault',
                    kinds.map((each) => [each.name, words(each.name)]),
                    kind,
                    (value) => {
                        kind = value
                        draw_form()
                    }
                )
            )
        ),
        where,
        able(button('Begin', 'Begin this fault now', () => begin(fault_of_form()), '.primary'))
    )
    const quick = h(
        'div.quick',
        {},
        QUICK.filter(
            ([, fault]) => no_faults !== '' || kinds.some((each) => each.name === fault.kind)
        ).map(([text, fault]) =>
            able(
                button(text, `${words(fault.kind)}, now, of the fleet and share below`, () => {
                    const own = { ...fault }
                    const info = kinds.find((each) => each.name === fault.kind)
                    const share = Number(where.querySelector('[data-member="share"]')?.value ?? 1)
                    if (!info?.hits_broker) {
                        if (chosen.fleet) {
                            own.fleet = chosen.fleet
                        }
                        if (share < 1) {
                            own.share = share
                        }
                    }
                    begin(own)
                })
            )
        )
    )

    // ------------------------------------------------------------------- message and remark

    const topic = h('input', {
        type: 'text',
        'aria-label': 'Topic to publish to',
        placeholder: 'topic',
        disabled: why_not !== '',
    })
    const payload = h('input', {
        type: 'text',
        'aria-label': 'Payload to publish',
        placeholder: 'payload',
        disabled: why_not !== '',
    })
    const remark = h('input', {
        type: 'text',
        'aria-label': 'Remark',
        placeholder: 'a remark, written down at this moment',
        disabled: why_not !== '',
        style: 'width:16rem',
    })
    let qos = 0
    const retain = h('input', { type: 'checkbox', disabled: why_not !== '' })
    const publish = h(
        'form.fault_form',
        {
            on: {
                submit: (event) => {
                    event.preventDefault()
                    send(
                        'publish',
                        { topic: topic.value, payload: payload.value, qos, retain: retain.checked },
                        'Published'
                    )
                },
            },
        },
        topic,
        payload,
        able(
            select(
                'QoS',
                [
                    [0, 'QoS 0'],
                    [1, 'QoS 1'],
                    [2, 'QoS 2'],
                ],
                0,
                (value) => {
                    qos = Number(value)
                }
            ),
            why_not
        ),
        h('span.field', {}, retain, 'retain'),
        able(h('button', { type: 'submit', title: 'Publish it at the broker' }, 'Publish'), why_not)
    )
    const annotate = h(
        'form.fault_form',
        {
            on: {
                submit: async (event) => {
                    event.preventDefault()
                    if (await send('annotate', { text: remark.value }, 'Written down')) {
                        remark.value = ''
                    }
                },
            },
        },
        remark,
        able(h('button', { type: 'submit', title: 'Write it down' }, 'Remark'), why_not)
    )

    // ------------------------------------------------------------------------------- lists

    function items() {
        const by_name = new Map()
        for (const each of source.timeline.faults) {
            const key = `${each.name || words(each.kind)}`
            const lane = by_name.get(key) ?? { name: key, items: [] }
            by_name.set(key, lane)
            lane.items.push({
                from: each.from,
                until: each.until ?? Math.max(source.totals?.at ?? 0, each.from),
                colour: each.by_hand ? 'purple' : 'vermillion',
                glyph: each.by_hand ? '☞' : '⚡',
                label: each.where,
                text:
                    `${words(each.kind)}, ${each.where}: ${clock(each.from, 3)} to ` +
                    (goes_on(each) ? 'now' : clock(each.until, 3)),
            })
        }
        const names = [...by_name.values()]
        const over = names.length - (LANES_MAX - 2)
        more.textContent =
            over > 0
                ? `${whole(over)} more faults have no lane of their own; they are in the list`
                : ''
        return [
            ...names.slice(-(LANES_MAX - 2)),
            {
                name: 'violations',
                items: source.timeline.violations.map((each) => ({
                    from: each.at,
                    glyph: '▲',
                    colour: 'vermillion',
                    text: `${clock(each.at, 3)} ${each.invariant}: ${each.text}`,
                })),
            },
            {
                name: 'remarks, commands',
                items: source.timeline.marks.map((each) => ({
                    from: each.at,
                    glyph: '✎',
                    colour: 'purple',
                    text: `${clock(each.at, 3)} ${each.what}: ${each.text}`,
                })),
            },
        ]
    }

    const moment = (at) =>
        h(
            'button.link.mono',
            {
                type: 'button',
                title: `Look at this moment, ${clock(at, 6)}`,
                on: { click: () => look_at(at) },
            },
            clock(at, 1)
        )

    let drawn = null
    let drawn_going = 0
    function draw_lists() {
        // An end that was told before its time has come is drawn when it has.
        const going = source.timeline.faults.filter(goes_on).length
        const is_new = source.timeline !== drawn || going !== drawn_going
        // Not under the finger: a button that is replaced before it is let go is no button.
        if (is_new && !faults.parentElement.querySelector('button:active')) {
            drawn = source.timeline
            drawn_going = going
            keep_focus([faults, violations], fill_lists)
        }
    }
    function fill_lists() {
        const newest = source.timeline.faults.slice(-200).reverse()
        fill(
            faults,
            newest.length === 0
                ? h('p.empty', {}, 'None so far.')
                : table(
                      'Faults',
                      [
                          { name: 'from', cell: (row) => moment(row.from) },
                          {
                              name: 'lasts',
                              number: true,
                              cell: (row) =>
                                  goes_on(row)
                                      ? h('span.vermillion', {}, '⚡ goes on')
                                      : h(
                                            'span',
                                            { title: `until ${clock(row.until, 3)}` },
                                            lasting(row.until - row.from)
                                        ),
                          },
                          { name: 'kind', cell: (row) => words(row.kind) },
                          { name: 'name', cell: (row) => (row.by_hand ? 'by hand' : row.name) },
                          {
                              name: '',
                              cell: (row) =>
                                  row.by_hand && goes_on(row)
                                      ? able(
                                            button(
                                                'Heal',
                                                'End this fault now; one with a length ends by itself',
                                                () => send('heal', { fault: row.fault }, 'Healed')
                                            ),
                                            why_not
                                        )
                                      : '',
                          },
                          { name: 'where', wraps: true, cell: (row) => row.where },
                      ],
                      newest
                  ),
            source.timeline.faults.length > newest.length
                ? h(
                      'p.dim',
                      {},
                      `The newest ${whole(newest.length)} of ${whole(source.timeline.faults.length)}.`
                  )
                : null
        )
        fill(
            violations,
            source.timeline.violations.length === 0
                ? h('p.empty', {}, 'None so far.')
                : table(
                      'Violations',
                      [
                          { name: 'at', cell: (row) => moment(row.at) },
                          { name: 'invariant', cell: (row) => words(row.invariant) },
                          { name: 'client', cell: (row) => row.client },
                          {
                              name: 'message',
                              number: true,
                              cell: (row) =>
                                  row.message === undefined
                                      ? ''
                                      : h(
                                            'button.link',
                                            {
                                                type: 'button',
                                                title: 'Its journey',
                                                on: {
                                                    click: () =>
                                                        state.go('messages', {
                                                            message: row.message,
                                                        }),
                                                },
                                            },
                                            row.message
                                        ),
                          },
                          { name: 'what', wraps: true, cell: (row) => row.text },
                      ],
                      source.timeline.violations.slice(0, 200)
                  ),
            source.timeline.violations.length > 200
                ? h('p.dim', {}, `The first 200 of ${whole(source.timeline.violations.length)}.`)
                : null
        )
    }

    return {
        element: h(
            'div.view.rolls',
            { tabindex: '0', role: 'region', 'aria-label': 'Faults' },
            h(
                'section.panel',
                {},
                h(
                    'div.head',
                    {},
                    h('h2', {}, 'Begin a fault'),
                    h(
                        'span.said',
                        {},
                        no_faults
                            ? `not possible: ${no_faults}`
                            : 'what is begun by hand is recorded'
                    )
                ),
                quick,
                form,
                h('div.head', { style: 'margin-top:.4rem' }, publish, annotate),
                error
            ),
            h(
                'figure.chart',
                {},
                h('figcaption', {}, h('span.chart_title', {}, 'Timeline'), more),
                lanes.element
            ),
            h(
                'div.columns',
                { style: 'grid-template-columns: repeat(2, minmax(0, 1fr)); flex: none' },
                h(
                    'section.panel',
                    {},
                    h('h2', {}, 'Faults'),
                    h('div.rolls', { style: 'max-height:19rem' }, faults)
                ),
                h(
                    'section.panel',
                    {},
                    h('h2', {}, 'Violations'),
                    h('div.rolls', { style: 'max-height:15rem' }, violations),
                    description.command
                        ? h(
                              'div',
                              { style: 'margin-top:.5rem' },
                              h(
                                  'div.head',
                                  {},
                                  h('h3', {}, 'To repeat this run'),
                                  copy_button(() => description.command)
                              ),
                              h('pre.payload', {}, description.command)
                          )
                        : null
                )
            )
        ),
        draw() {
            lanes.draw()
            draw_lists()
        },
    }
}
