// The transport bar: where in time we are, and how it passes. Of a live source that is the run
// itself; of a recording, or while looking back, the page moves the cursor.

import { Plot, look_at } from './chart.js'
import { button, h, select, select_value, set_enabled, set_text, text_input } from './dom.js'
import { clock_for, colours, date_time, lasting, speed_text } from './format.js'
import { history_store, rates, source, sum_of, time_range, whole_range } from './history.js'
import { keep_setting, settings, state } from './state.js'

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600, 21600, 86400]

// All of the time, with how much was published, and the range that the charts show.
class Scrubber extends Plot {
    constructor() {
        super('The whole time: faults, violations, and what was published', 42, {
            time: false,
            left: 8,
        })
        this.top = 8
        this.bottom = 14
        let down = false
        this.canvas.tabIndex = 0
        this.canvas.setAttribute('role', 'slider')
        const to = (event) => look_at(this.instant_at(event.offsetX, whole_range()))
        this.canvas.addEventListener('pointerdown', (event) => {
            down = true
            this.canvas.setPointerCapture(event.pointerId)
            to(event)
        })
        this.canvas.addEventListener('pointermove', (event) => {
            state.set_hover(this.instant_at(event.offsetX, whole_range()))
            if (down) {
                to(event)
            }
        })
        this.canvas.addEventListener('pointerup', () => {
            down = false
        })
        this.canvas.addEventListener('pointerleave', () => state.set_hover(null))
    }

    paint(context) {
        const c = colours()
        const range = whole_range()
        const base = this.height - this.bottom
        context.fillStyle = c.grid
        context.fillRect(this.left, this.top, this.plot_width, base - this.top)
        const points = history_store.points
        const published = rates(points, (each) => sum_of(each, 'published'), range)
        const most = published.reduce((a, b) => (Number.isNaN(b) ? a : Math.max(a, b)), 0)
        if (most > 0) {
            context.fillStyle = c.blue
            context.globalAlpha = 0.6
            context.beginPath()
            context.moveTo(this.left, base)
            let x = this.left
            for (let i = 1; i < points.length; ++i) {
                if (!Number.isNaN(published[i])) {
                    x = this.x_of(points[i].at, range)
                    context.lineTo(x, base - (published[i] / most) * (base - this.top))
                }
            }
            context.lineTo(x, base)
            context.fill()
            context.globalAlpha = 1
        }
        this.paint_marks(context, range)
        const shown = time_range()
        if (shown.until - shown.from < (range.until - range.from) * 0.999) {
            const from = this.x_of(shown.from, range)
            context.strokeStyle = c.text
            context.strokeRect(
                from,
                this.top + 0.5,
                Math.max(3, this.x_of(shown.until, range) - from),
                base - this.top - 1
            )
        }
        this.paint_time_axis(context, range)
        this.paint_cursors(context, range)
        const at = state.at ?? range.until
        this.canvas.setAttribute('aria-valuemin', range.from)
        this.canvas.setAttribute('aria-valuemax', range.until)
        this.canvas.setAttribute('aria-valuenow', at)
        this.canvas.setAttribute('aria-valuetext', clock_for(at, range.until - range.from))
    }
}

export class Transport {
    constructor(element, context, link) {
        this.context = context
        this.link = link
        this.playing = false
        this.speed = 1 // of the cursor
        this.asked_speed = undefined // of the run; null: as fast as possible
        this.badge = h('span.badge', { role: 'status' })
        this.clock = h('span.clock', {
            title: 'Seconds since the beginning of the run, as a clock',
        })
        this.wall = h('span.wall', { title: 'The same as a date' })
        this.speed_now = h('span.speed_now', { title: 'Seconds of the run in a real one, lately' })
        this.title = h('span.grow')
        this.play = button('❚❚', '', () => this.toggle(), '.icon')
        this.stepper = button('▮▶', '', () => this.step(), '.icon')
        this.speeds = select(
            'Speed',
            [['', 'speed'], ['max', 'max'], ...SPEEDS.map((each) => [each, speed_text(each)])],
            '',
            (value) => value !== '' && this.set_speed(value === 'max' ? null : Number(value))
        )
        this.loop = button('⟳', 'Loop what is played (key O)', () => this.toggle_loop(), '.icon')
        this.live = button('Live', '', () => this.to_end(), '.to_end')
        this.window = select(
            'Range of the charts',
            [
                ['', 'all of the time'],
                ['10', 'last 10 s'],
                ['60', 'last minute'],
                ['600', 'last 10 min'],
                ['3600', 'last hour'],
                ['86400', 'last day'],
                ['zoom', 'zoomed'],
            ],
            '',
            (value) =>
                value !== 'zoom' &&
                state.change({
                    from: null,
                    until: null,
                    window: value === '' ? null : Number(value),
                }),
            { class: 'window' }
        )
        this.filter = text_input(
            'Filter: topic filter, client:NAME, qos:0 to 2',
            '',
            (value) => state.change(parse_filter(value)),
            { class: 'filter', placeholder: 'filter: a/+/b client:x qos:1' }
        )
        this.scrubber = new Scrubber()
        this.scrubber.on_resize = context.invalidate
        element.append(
            h(
                'div.bar',
                { role: 'toolbar', 'aria-label': 'Transport' },
                this.badge,
                this.play,
                this.stepper,
                this.speeds,
                this.loop,
                this.live,
                this.clock,
                this.wall,
                this.speed_now,
                this.title,
                this.window,
                this.filter
            ),
            h('div.scrub', {}, this.scrubber.element)
        )
    }

    // Whether the cursor is moved, and not the run.
    get looks_back() {
        return state.at !== null || (source.description && !source.description.is_live)
    }

    draw() {
        const description = source.description
        const totals = source.totals ?? history_store.latest()
        const range = whole_range()
        const at = state.at ?? totals?.at
        const [text, kind] =
            this.link().state !== 'open'
                ? ['OFFLINE', 'off']
                : !description
                  ? ['…', 'off']
                  : !description.is_live
                    ? ['REC', 'rec']
                    : state.at !== null
                      ? ['BACK', 'back']
                      : totals?.ended
                        ? ['ENDED', 'rec']
                        : totals?.paused
                          ? ['PAUSED', 'back']
                          : ['LIVE', 'live']
        set_text(this.badge, `${{ live: '●', rec: '■', back: '◄', off: '✕' }[kind]} ${text}`)
        this.badge.className = `badge ${kind}`
        set_text(this.clock, clock_for(at, Math.min(500, range.until - range.from)))
        set_text(
            this.wall,
            description?.epoch
                ? date_time(description.epoch + (at ?? 0))
                : totals
                  ? `${lasting(totals.wall)} of real time`
                  : ''
        )
        set_text(
            this.speed_now,
            this.looks_back
                ? this.playing
                    ? `▶ ${speed_text(this.speed)}`
                    : ''
                : totals?.paused
                  ? 'paused'
                  : speed_text(totals?.speed)
        )
        set_text(
            this.title,
            description
                ? `${description.title}${
                      description.seed !== undefined ? ` · seed ${description.seed}` : ''
                  }`
                : ''
        )
        this.title.title = description?.title ?? ''
        this.draw_controls(description, totals)
        this.scrubber.draw()
    }

    draw_controls(description, totals) {
        const back = this.looks_back
        const why = !description
            ? 'there is no source'
            : back
              ? ''
              : totals?.ended
                ? 'the run has ended'
                : description.can_pace
                  ? ''
                  : !description.can_control
                    ? 'this source takes no commands'
                    : description.kind === 'broker'
                      ? 'a broker runs by the real clock'
                      : 'this run follows the real clock'
        const runs = back ? this.playing : !totals?.paused
        set_text(this.play, runs ? '❚❚' : '▶')
        this.play.setAttribute('aria-label', runs ? 'Pause' : back ? 'Play' : 'Go on')
        set_enabled(
            this.play,
            why === '',
            why,
            `${runs ? 'Pause' : back ? 'Play' : 'Go on'} (Space)`
        )
        set_enabled(
            this.stepper,
            why === '',
            why,
            back ? 'Move the cursor on (key .)' : 'Step one second, paused (key .)'
        )
        set_enabled(
            this.speeds,
            why === '',
            why,
            `Speed ${back ? 'of playing' : 'of the run'} (keys [ and ])`
        )
        select_value(
            this.speeds,
            back ? this.speed : this.asked_speed === null ? 'max' : (this.asked_speed ?? '')
        )
        set_enabled(
            this.loop,
            back,
            'only what has passed can be looped',
            'Loop what is played (key O)'
        )
        this.loop.setAttribute('aria-pressed', settings.loop)
        set_text(this.live, description && !description.is_live ? 'End' : 'Live')
        set_enabled(this.live, state.at !== null, 'this is it', 'To the present (key L or End)')
        select_value(this.window, state.window ?? (state.from !== null ? 'zoom' : ''))
        if (document.activeElement !== this.filter) {
            const text = format_filter()
            if (this.filter.value !== text) {
                this.filter.value = text
            }
        }
    }

    // ------------------------------------------------------------------------------- commands

    async toggle() {
        if (this.play.disabled) {
            return
        }
        if (!this.looks_back) {
            await this.context.command('pause', { paused: !history_store.latest()?.paused })
            return
        }
        this.playing = !this.playing
        if (this.playing) {
            const range = time_range()
            if (state.at === null || state.at >= range.until) {
                look_at(range.from)
            }
            this.choose_speed(range)
            this.last = performance.now()
            requestAnimationFrame((now) => this.advance(now))
        }
        this.context.invalidate()
    }

    // A speed that shows the range in about half a minute, unless one was chosen.
    choose_speed(range) {
        if (!this.chosen) {
            const wanted = (range.until - range.from) / 30
            this.speed = SPEEDS.findLast((each) => each <= wanted) ?? SPEEDS[0]
        }
    }

    advance(now) {
        if (!this.playing) {
            return
        }
        if (now - this.last >= 45) {
            // some twenty instants a second are enough to ask for
            const range = state.from === null ? whole_range() : time_range()
            let at = (state.at ?? range.from) + ((now - this.last) / 1000) * this.speed
            this.last = now
            if (at >= range.until) {
                at = settings.loop ? range.from : range.until
                this.playing = settings.loop
            }
            look_at(at)
        }
        requestAnimationFrame((next) => this.advance(next))
    }

    async step() {
        if (this.stepper.disabled) {
            return
        }
        if (this.looks_back) {
            const range = time_range()
            this.playing = false
            this.move((range.until - range.from) / 200)
            return
        }
        if (!history_store.latest()?.paused) {
            await this.context.command('pause', { paused: true })
        }
        await this.context.command('step', { by: 1 })
    }

    async set_speed(speed) {
        if (this.looks_back) {
            this.chosen = true
            this.speed = speed ?? SPEEDS.at(-1)
        } else if (await this.context.command('speed', speed === null ? {} : { speed })) {
            this.asked_speed = speed
        }
        this.context.invalidate()
    }

    change_speed(direction) {
        if (this.speeds.disabled) {
            return
        }
        const now = this.looks_back
            ? this.speed
            : this.asked_speed === null
              ? Infinity
              : (this.asked_speed ?? history_store.latest()?.speed ?? 1)
        const next =
            direction > 0
                ? (SPEEDS.find((each) => each > now) ?? null)
                : (SPEEDS.findLast((each) => each < now) ?? SPEEDS[0])
        this.set_speed(next)
    }

    move(by) {
        look_at((state.at ?? whole_range().until) + by)
    }

    toggle_loop() {
        keep_setting('loop', !settings.loop)
        this.context.invalidate()
    }

    to_begin() {
        look_at(time_range().from)
    }
    to_end() {
        this.playing = false
        state.change({ at: null })
        this.context.invalidate()
    }
    focus_filter() {
        this.filter.focus()
        this.filter.select()
    }

    // The next instant at which a fault begins or an invariant breaks.
    next_mark(direction) {
        const at = state.at ?? whole_range().until
        const marks = [
            ...source.timeline.faults.map((each) => each.from),
            ...source.timeline.violations.map((each) => each.at),
        ].sort((a, b) => a - b)
        const next =
            direction > 0
                ? marks.find((each) => each > at + 1e-9)
                : marks.findLast((each) => each < at - 1e-9)
        if (next !== undefined) {
            look_at(next)
        }
    }
}

// "site/+/x client:meters[3] qos:1" and back.
export function parse_filter(text) {
    const out = { topic: '', client: '', qos: null }
    const rest = []
    for (const each of text.split(/\s+/).filter((word) => word !== '')) {
        if (each.startsWith('client:')) {
            out.client = each.slice(7)
        } else if (/^qos:[0-2]$/.test(each)) {
            out.qos = Number(each.slice(4))
        } else {
            rest.push(each)
        }
    }
    out.topic = rest.join(' ')
    return out
}

function format_filter() {
    return [
        state.topic,
        state.client && `client:${state.client}`,
        state.qos !== null && `qos:${state.qos}`,
    ]
        .filter(Boolean)
        .join(' ')
}
