// The page: the link, the frame around the views, the keys. Each view is a module with
// create(context) -> {element, draw(), changed(names)?, keys?, close()?}.

import { use_theme } from './format.js'
import { button, fill, h } from './dom.js'
import { Feed, counters } from './feed.js'
import { history_store, source, time_range } from './history.js'
import { VIEWS, keep_setting, settings, state } from './state.js'
import { Transport } from './transport.js'
import { zoom } from './chart.js'
import * as devices from './views/devices.js'
import * as faults from './views/faults.js'
import * as fleet from './views/fleet.js'
import * as funnel from './views/funnel.js'
import * as latency from './views/latency.js'
import * as log from './views/log.js'
import * as messages from './views/messages.js'
import * as overview from './views/overview.js'
import * as topics from './views/topics.js'

const MODULES = { overview, funnel, topics, fleet, devices, messages, latency, faults, log }
const TITLES = {
    overview: 'Overview',
    funnel: 'QoS funnel',
    topics: 'Topics',
    fleet: 'Fleet map',
    devices: 'Devices',
    messages: 'Messages',
    latency: 'Latency',
    faults: 'Faults',
    log: 'Log',
}
const FRAME_MS = 1000 / 30

const banner = document.getElementById('banner')
const main = document.getElementById('main')

// ------------------------------------------------------------------------------------ drawing

let frame = null
let last_frame = 0
function invalidate() {
    frame ??= requestAnimationFrame(draw)
}
function draw(now) {
    frame = null
    if (now - last_frame < FRAME_MS - 4) {
        invalidate()
        return
    }
    last_frame = now
    ++counters.frames
    transport.draw()
    view?.draw()
}

// -------------------------------------------------------------------------- what a person is told

const notices = new Map()
function tell(key, text, { kind = '', action = null, seconds = 0 } = {}) {
    const old = notices.get(key)
    if (old) {
        clearTimeout(old.timer)
        old.element.remove()
        notices.delete(key)
    }
    if (!text) {
        return
    }
    const element = h(
        'div' + (kind ? '.' + kind : ''),
        {},
        h('span', {}, text),
        action,
        button('✕', 'Dismiss', () => tell(key, ''))
    )
    banner.append(element)
    const timer = seconds ? setTimeout(() => tell(key, ''), seconds * 1000) : null
    notices.set(key, { element, timer })
    while (notices.size > 5) {
        tell(notices.keys().next().value, '')
    }
}

let link = { state: 'waiting', text: 'Connecting ...', retry_at: 0 }
let ticking = null
function status(next) {
    link = next
    clearInterval(ticking)
    if (next.state === 'open') {
        tell('link', '')
        document.getElementById('token')?.close()
    } else if (next.state === 'waiting') {
        const say = () => {
            const left = Math.max(0, Math.ceil((next.retry_at - Date.now()) / 1000))
            tell(
                'link',
                `${next.text} ${left > 0 ? `Trying again in ${left} s.` : 'Trying again ...'}`,
                {
                    action: button('Try now', 'Try to connect at once', () => feed.connect()),
                }
            )
        }
        say()
        ticking = setInterval(say, 1000)
    } else if (next.state === 'unauthorised') {
        tell('link', '')
        ask_token(next.text)
    } else {
        tell('link', '')
        view?.close?.()
        view = null
        view_name = ''
        fill(main, h('p.empty', { role: 'alert' }, next.text))
    }
    invalidate()
}

function ask_token(text) {
    document.getElementById('token')?.remove()
    const input = h('input', { type: 'password', 'aria-label': 'Token', autocomplete: 'off' })
    const dialog = h(
        'dialog',
        { id: 'token', 'aria-label': 'Token' },
        h(
            'form',
            {
                method: 'dialog',
                on: {
                    submit: (event) => {
                        event.preventDefault()
                        if (input.value.trim() !== '') {
                            dialog.close()
                            feed.use_token(input.value.trim())
                        }
                    },
                },
            },
            h('h2', {}, 'A token, please'),
            h('p', {}, text),
            h(
                'p.dim',
                {},
                'It is the one that the source was started with. This tab keeps it until it closes.'
            ),
            input,
            h('button.primary', { type: 'submit' }, 'Connect')
        )
    )
    document.body.append(dialog)
    dialog.showModal()
    input.focus()
}

// ------------------------------------------------------------------------------------ the source

const feed = new Feed({ status, trouble: (text) => tell('trouble', text, { seconds: 12 }) })

feed.watch(
    'description',
    2,
    (description) => {
        const first = source.description
        if (
            description.protocol !== first?.protocol &&
            !feed.check_protocol(description.protocol)
        ) {
            return
        }
        const other =
            !first ||
            first.title !== description.title ||
            first.kind !== description.kind ||
            first.epoch !== description.epoch ||
            first.seed !== description.seed
        source.description = description
        if (other) {
            started()
        }
        document.title = `${description.title || description.kind} - Fleetarium`
        invalidate()
    },
    (error) => tell('description', `The source does not describe itself: ${error}`)
).set({})

let totals_watch = null
let timeline_watch = null
let detail_watch = null

// Everything that is not a view's own: totals for all charts, and what is laid over them.
function started() {
    history_store.reset()
    source.timeline = { faults: [], violations: [], marks: [] }
    source.totals = null
    totals_watch?.close()
    timeline_watch?.close()
    detail_watch?.close()
    view_totals?.close()
    view_totals = null
    const live = source.description.is_live
    totals_watch = feed.watch(
        'totals',
        live ? 0.25 : 1,
        (totals) => {
            const fresh = history_store.latest() && totals.at < history_store.latest().at
            const more = history_store.latest()?.complete === false
            history_store.add(totals)
            if (fresh || more) {
                whole_history()
            }
            tell(
                'complete',
                totals.complete === false
                    ? 'The recording is still being read: counts are of what has been read so far.'
                    : '',
                { kind: 'plain' }
            )
            if (more && totals.complete) {
                timeline_watch?.send()
                view_totals?.send()
                show()
            }
            if (state.at === null) {
                source.totals = totals
            }
            invalidate()
        },
        (error) => tell('totals', error)
    )
    totals_watch.set({})
    timeline_watch = feed.watch(
        'timeline',
        live ? 0.5 : undefined,
        (answer) => {
            source.timeline = answer
            invalidate()
        },
        (error) => tell('timeline', error)
    )
    timeline_watch.set({})
    detail_watch = feed.watch(
        'history',
        undefined,
        (answer, asked) => (
            history_store.add_detail(asked.from, asked.until, answer.points),
            invalidate()
        )
    )
    whole_history()
    show()
    look()
}

function whole_history() {
    feed.ask('history', { points: 1500 }).then(
        (answer) => {
            history_store.replace(answer.points)
            invalidate()
        },
        (problem) => tell('history', `There is no history: ${problem.message}`, { seconds: 12 })
    )
}

// The totals at the instant that is looked at, and more detail where the range is narrow.
let view_totals = null
function look() {
    if (!source.description) {
        return
    }
    if (state.at !== null) {
        view_totals ??= feed.watch(
            'totals',
            undefined,
            (totals, asked) => {
                if (state.at !== null && asked.at === state.at) {
                    source.totals = totals
                    invalidate()
                }
            },
            (error) => tell('at', error, { seconds: 8 })
        )
        view_totals.set({ at: state.at })
    } else {
        source.totals = history_store.latest()
    }
    if (state.from !== null && state.until !== null) {
        const margin = (state.until - state.from) * 0.2
        detail_watch.set({
            from: Math.max(source.description.begin, state.from - margin),
            until: state.until + margin,
            points: 1200,
        })
    }
}

// -------------------------------------------------------------------------------------- views

const is_present_only = (what) =>
    (what === 'topics' || what === 'devices') && source.description?.keeps_history !== true

let view = null
let view_name = ''
let view_watches = []
const context = {
    feed,
    invalidate,
    tell,
    // A question that lives as long as the view, and is asked anew for the instant that is shown.
    watch(name, every, heard, failed = (error) => tell(name, error, { seconds: 10 })) {
        const made = feed.watch(
            name,
            source.description?.is_live ? every : undefined,
            (answer, asked) => {
                heard(answer, asked)
                invalidate()
            },
            failed
        )
        view_watches.push(made)
        return made
    },
    // A live source keeps no more than the present of topics and devices.
    at: (what = '') => (state.at === null || is_present_only(what) ? {} : { at: state.at }),
    present_note: (what) =>
        state.at !== null && is_present_only(what)
            ? 'shown is the present: a live source keeps no more of this; a recording does. '
            : '',
    is_live: () => source.description?.is_live === true,
    async command(name, parameters, said) {
        try {
            const answer = await feed.ask(name, parameters)
            if (said) {
                tell('command', said, { kind: 'plain', seconds: 3 })
            }
            return answer
        } catch (problem) {
            tell('command', `${name}: ${problem.message}`, { seconds: 12 })
            return null
        }
    },
}

const transport = new Transport(document.getElementById('transport'), context, () => link)

function page_key() {
    return (
        `${state.view} ${state.view === 'devices' && state.device !== '' ? 'page' : ''}` +
        `${state.view === 'messages' && state.message !== null ? 'page' : ''}`
    )
}

function show() {
    if (!source.description) {
        fill(main, h('p.empty', {}, 'Waiting for the source ...'))
        return
    }
    const name = page_key()
    for (const each of view_watches) {
        each.close()
    }
    view?.close?.()
    view_watches = []
    view_name = name
    view = MODULES[state.view].create(context)
    fill(main, view.element)
    main.setAttribute('aria-label', TITLES[state.view])
    for (const each of document.querySelectorAll('#views a[data-view]')) {
        if (each.dataset.view === state.view) {
            each.setAttribute('aria-current', 'page')
        } else {
            each.removeAttribute('aria-current')
        }
    }
    invalidate()
}

state.listeners.add((changed) => {
    if (changed.has('at') || changed.has('from') || changed.has('until')) {
        look()
    }
    if (page_key() !== view_name) {
        show()
    } else if (changed.size !== 1 || !changed.has('hover')) {
        view?.changed?.(changed)
    }
    invalidate()
})

function set_theme(name) {
    document.documentElement.dataset.theme = name
    use_theme(name)
    keep_setting('theme', name)
    view?.changed?.(new Set(['theme']))
    invalidate()
}

// -------------------------------------------------------------------------------------- keys

const KEYS = [
    ['1 … 9', 'a view'],
    ['Space', 'pause, go on, play'],
    ['.', 'step'],
    ['[ ]', 'slower, faster'],
    ['← →', 'move the time cursor'],
    ['Shift ← →', 'move it far'],
    ['Home', 'the first instant'],
    ['End or L', 'to the present, or the end'],
    ['+ −', 'zoom the charts in, out'],
    ['0', 'show the whole time'],
    ['/', 'filter'],
    ['O', 'loop what is played'],
    ['N and P', 'the next, the previous fault or violation'],
    ['↑ ↓ PgUp PgDn', 'move in a list'],
    ['Enter', 'open what is selected'],
    ['Esc', 'back from a page, clear the filter'],
    ['T', 'light or dark'],
    ['?', 'these keys'],
]

function help() {
    const old = document.getElementById('help')
    if (old) {
        old.remove()
        return
    }
    const description = source.description
    const dialog = h(
        'dialog',
        { id: 'help', 'aria-label': 'Keys', on: { close: () => dialog.remove() } },
        h('h2', {}, 'Keys'),
        h(
            'div.keys',
            {},
            KEYS.map(([key, what]) => [h('span', {}, h('kbd', {}, key)), h('span', {}, what)])
        ),
        h(
            'p.dim',
            { style: 'margin-top:.8rem' },
            'In charts: click to look at an instant, drag to zoom, ' +
                'wheel to zoom, double-click for all. Fleet map: arrows, Enter, + and −.'
        ),
        description
            ? h('p.dim', {}, `Fleetarium ${description.version}, ${description.protocol}`)
            : null,
        h(
            'form',
            { method: 'dialog', style: 'margin-top:.6rem' },
            button('Close', 'Close', () => dialog.close(), '.primary')
        )
    )
    document.body.append(dialog)
    dialog.showModal()
}

function step_cursor(direction, far) {
    const range = time_range()
    transport.move((range.until - range.from) * (far ? 0.1 : 0.01) * direction)
}

const COMMANDS = {
    ' ': () => transport.toggle(),
    '.': () => transport.step(),
    '[': () => transport.change_speed(-1),
    ']': () => transport.change_speed(1),
    Home: () => transport.to_begin(),
    End: () => transport.to_end(),
    l: () => transport.to_end(),
    o: () => transport.toggle_loop(),
    t: () => set_theme(settings.theme === 'dark' ? 'light' : 'dark'),
    '?': help,
    '/': () => transport.focus_filter(),
    n: () => transport.next_mark(1),
    p: () => transport.next_mark(-1),
    0: () => state.change({ from: null, until: null, window: null }),
    '+': () => zoom(0.7, state.hover ?? state.at ?? middle()),
    '-': () => zoom(1.4, state.hover ?? state.at ?? middle()),
    '=': () => zoom(0.7, state.hover ?? state.at ?? middle()),
}
const middle = () =>
    source.description?.is_live && state.from === null
        ? time_range().until
        : (time_range().from + time_range().until) / 2

document.addEventListener('keydown', (event) => {
    const target = event.target
    const typing = target.matches?.('input:not([type="checkbox"]), textarea, select')
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) {
        return
    }
    if (event.key === 'Escape') {
        if (typing) {
            target.blur()
        } else if (page_key().endsWith('page')) {
            state.back()
        } else if (state.topic || state.client || state.qos !== null || state.search) {
            state.change({ topic: '', client: '', qos: null, search: '' })
        }
        return
    }
    if (typing || (event.key === ' ' && target.matches?.('button, a, summary'))) {
        return
    }
    if (view?.keys?.(event)) {
        event.preventDefault()
        return
    }
    if (/^[1-9]$/.test(event.key)) {
        state.go(VIEWS[Number(event.key) - 1])
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
        step_cursor(event.key === 'ArrowLeft' ? -1 : 1, event.shiftKey)
    } else if (event.key in COMMANDS) {
        COMMANDS[event.key]()
    } else if (event.key.toLowerCase() in COMMANDS) {
        COMMANDS[event.key.toLowerCase()]()
    } else {
        return
    }
    event.preventDefault()
})

// -------------------------------------------------------------------------------------- start

document.getElementById('views').append(
    ...VIEWS.map((each, i) =>
        h(
            'a',
            {
                href: `#/${each}`,
                'data-view': each,
                title: `${TITLES[each]} (key ${i + 1})`,
                on: {
                    click: (event) => {
                        if (!event.ctrlKey && !event.metaKey && event.button === 0) {
                            event.preventDefault()
                            state.go(each)
                        }
                    },
                },
            },
            TITLES[each],
            h('kbd', { 'aria-hidden': 'true' }, i + 1)
        )
    ),
    h(
        'div.below',
        {},
        button('Light / dark', 'Light or dark (key T)', () => COMMANDS.t()),
        button('Keys  ?', 'All keys (key ?)', help)
    )
)

window.addEventListener('popstate', () => {
    state.depth = Math.max(0, state.depth - 1)
    state.read()
})
window.addEventListener('hashchange', () => state.read())
window.addEventListener('error', (event) =>
    tell('page', `This page has a fault: ${event.message}`, { seconds: 20 })
)
window.addEventListener('unhandledrejection', (event) =>
    tell('page', `This page has a fault: ${event.reason?.message ?? event.reason}`, { seconds: 20 })
)

set_theme(settings.theme)
state.read()
show()
status(link)
feed.connect()
