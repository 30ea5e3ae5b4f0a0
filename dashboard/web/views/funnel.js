// Where messages stand, and where they are lost: from the publisher to the last acknowledgement.

import { TimeChart } from '../time_chart.js'
import { fill, h, keep_focus, table } from '../dom.js'
import { percent, short, whole, words } from '../format.js'
import { history_store, rates, source } from '../history.js'
import { state } from '../state.js'

const STAGES = [
    ['published', 'Published', 'Messages that a broker took on, copies not counted'],
    ['routed', 'Routed', 'Messages with at least one delivery'],
    ['completed', 'Completed', 'Messages whose publisher learned that they are complete'],
    ['deliveries', 'Deliveries', 'Made, one for each subscriber'],
    ['sent', 'Sent', 'Deliveries written for the first time'],
    [
        'delivered',
        'Delivered',
        'Received; where receivers do not tell, acknowledged or of QoS 0 and sent',
    ],
    ['acknowledged', 'Acknowledged', 'Deliveries of QoS 1 and 2 that were acknowledged'],
]

const LOSSES = [
    ['offline', 'QoS 0 while not connected'],
    ['queue_full', 'their queue was full'],
    ['rejected', 'the broker refused them'],
    ['lost_on_link', 'QoS 0, under way when the link broke'],
    ['expired', 'too old'],
    ['session_ended', 'their session ended'],
]
const COLOURS = ['vermillion', 'orange', 'blue', 'purple', 'green', 'yellow', 'grey']

export function create(context) {
    const boxes = [0, 1, 2].map(() => h('section.panel'))
    const reasons = h('section.panel.rolls')
    const publishers = h('section.panel.rolls')
    const names = source.description.drop_reasons
        .map((name, index) => ({ name, index }))
        .filter(({ name }) => name !== 'none')
    const chart = new TimeChart('Dropped a second, by reason', {
        format: short,
        height: 150,
        least: 0.01,
        points: (range) => history_store.within(range),
        series: names.slice(0, COLOURS.length).map(({ name, index }, i) => ({
            name: words(name),
            colour: COLOURS[i],
            dash: i < 3 ? undefined : [5, 3],
            values: (points, shown) => rates(points, (each) => each.dropped[index] ?? 0, shown),
        })),
    })
    chart.on_resize = context.invalidate
    const element = h(
        'div.view.rolls',
        { tabindex: '0', role: 'region', 'aria-label': 'QoS funnel' },
        h('div.funnel', {}, boxes),
        chart.element,
        h(
            'div.columns',
            { style: 'grid-template-columns: 1fr 1fr; flex: none' },
            reasons,
            publishers
        )
    )
    let drawn = ''

    const see = (changes) => () =>
        state.go('messages', {
            topic: '',
            client: '',
            reason: '',
            state: '',
            qos: null,
            ...changes,
        })

    function box(totals, qos) {
        const own = totals.qos[qos]
        const most = Math.max(1, own.published, own.deliveries)
        const link = (count, text, changes, title) =>
            h(
                'div.loss',
                {},
                h('span.glyph.vermillion', { 'aria-hidden': 'true' }, count > 0 ? '✕' : ''),
                count > 0
                    ? h('button.link', { type: 'button', title, on: { click: see(changes) } }, text)
                    : h('span.dim', {}, text),
                h('span.number', {}, whole(count))
            )
        return [
            h('h2', {}, `QoS ${qos}`),
            STAGES.map(([name, text, title]) =>
                qos === 0 && name === 'acknowledged'
                    ? h('div.stage.dim', {}, h('span', {}, text), h('span', {}, 'QoS 0 is not'), '')
                    : h(
                          'div.stage',
                          { title },
                          h('span', {}, text),
                          h(
                              'div.track',
                              {
                                  role: 'meter',
                                  'aria-label': `${text} of QoS ${qos}`,
                                  'aria-valuenow': own[name],
                                  'aria-valuemin': 0,
                                  'aria-valuemax': most,
                              },
                              h('div.fill', { style: `width:${(100 * own[name]) / most}%` })
                          ),
                          h('span.number', {}, whole(own[name]))
                      )
            ),
            h('h3', { style: 'margin-top:.5rem' }, 'Lost, and once more'),
            link(
                own.dropped,
                'dropped by the broker',
                { qos, state: 'dropped' },
                'The messages that were dropped'
            ),
            link(
                own.lost,
                'lost with their link',
                { qos, reason: 'lost' },
                'The messages that were lost'
            ),
            h(
                'div.loss',
                {},
                h('span.glyph', {}, ''),
                h('span.dim', {}, 'resent, with DUP'),
                h('span.number', {}, whole(own.resent))
            ),
            h(
                'div.loss',
                {},
                h('span.glyph', {}, ''),
                h('span.dim', {}, 'copies that came in'),
                h('span.number', {}, whole(own.copies))
            ),
            h(
                'div.loss',
                {},
                h('span.glyph', {}, ''),
                h('span.dim', {}, 'delivered of deliveries'),
                h('span.number', {}, percent(own.delivered, own.deliveries))
            ),
        ]
    }

    return {
        element,
        draw() {
            const totals = source.totals ?? history_store.latest()
            chart.draw()
            if (!totals) {
                return
            }
            const key = JSON.stringify([totals.qos, totals.dropped, totals.losses])
            // Not under the finger: a button that is replaced before it is let go is no button.
            if (key === drawn || element.querySelector('button:active')) {
                return
            }
            drawn = key
            boxes.forEach((each, qos) => {
                keep_focus([each], () => fill(each, box(totals, qos)))
            })
            keep_focus([reasons], () =>
                fill(
                    reasons,
                    h('h2', {}, 'Dropped by brokers, by reason'),
                    table(
                        'Dropped by reason',
                        [
                            {
                                name: 'reason',
                                cell: ({ name, index }) =>
                                    totals.dropped[index] > 0
                                        ? h(
                                              'button.link',
                                              {
                                                  type: 'button',
                                                  title: 'See these messages',
                                                  on: { click: see({ reason: name }) },
                                              },
                                              words(name)
                                          )
                                        : words(name),
                            },
                            {
                                name: 'messages and deliveries',
                                number: true,
                                cell: ({ index }) => whole(totals.dropped[index] ?? 0),
                            },
                        ],
                        names
                    )
                )
            )
            fill(
                publishers,
                h('h2', {}, 'Never reached a broker: given up by devices'),
                totals.published_by_devices > 0
                    ? [
                          h(
                              'p.dim',
                              {},
                              `${whole(totals.published_by_devices)} messages fell due at devices.`
                          ),
                          table(
                              'Given up by devices',
                              [
                                  {
                                      name: 'because',
                                      cell: ([name, why]) =>
                                          h('span', { title: why }, `${words(name)}: ${why}`),
                                  },
                                  {
                                      name: 'messages',
                                      number: true,
                                      cell: ([name]) => whole(totals.losses[name]),
                                  },
                              ],
                              LOSSES
                          ),
                      ]
                    : h('p.dim', {}, 'Known of simulated devices only.')
            )
        },
    }
}
