// Charts over time on a canvas: as many points as pixels, one time cursor and one range for all.

import { h } from './dom.js'
import { clock, colours } from './format.js'
import { source, time_range, whole_range } from './history.js'
import { state } from './state.js'

const LEFT = 54
const BOTTOM = 18
const TOP = 6

const TIME_STEPS = [
    1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800,
    3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000,
]

export function nice_step(range, most) {
    const rough = range / Math.max(1, most)
    const power = 10 ** Math.floor(Math.log10(rough))
    for (const each of [1, 2, 5, 10]) {
        if (each * power >= rough) {
            return each * power
        }
    }
    return 10 * power
}

// Whoever scrubs, zooms or clicks in a chart does so in all of them.
export function zoom(factor, around) {
    const range = time_range()
    const all = whole_range()
    const from = Math.max(all.from, around - (around - range.from) * factor)
    const until = Math.min(all.until, around + (range.until - around) * factor)
    if (until - from < 1e-6) {
        return
    }
    const span = all.until - all.from
    if (until - from > span * 0.999) {
        state.change({ from: null, until: null, window: null })
    } else if (source.description?.is_live && until >= all.until - span * 1e-3) {
        state.change({ from: null, until: null, window: until - from }) // goes on following
    } else {
        state.change({ from, until, window: null })
    }
}

export function look_at(instant) {
    if (!source.description) {
        return
    }
    const { from, until } = whole_range()
    state.change({ at: Math.min(until, Math.max(from, instant)) })
}

// A canvas that fits its element at any pixel density. `paint(context, width, height)` is in CSS
// pixels and is called by draw(), which whoever owns it calls once a frame at most.
export class Plot {
    constructor(label, height, { time = true, left = LEFT } = {}) {
        this.label = label
        this.left = left
        this.right = 8
        this.top = TOP
        this.bottom = BOTTOM
        this.canvas = h('canvas', { role: 'img', 'aria-label': label })
        this.element = h('div.plot', { style: height ? `height:${height}px` : null }, this.canvas)
        this.width = 0
        this.height = 0
        this.on_resize = () => {}
        new ResizeObserver(([entry]) => {
            this.width = Math.floor(entry.contentRect.width)
            this.height = Math.floor(entry.contentRect.height)
            this.on_resize()
        }).observe(this.element)
        if (time) {
            this.listen()
        }
    }

    draw() {
        if (this.width < 40 || this.height < 10) {
            return
        }
        const density = window.devicePixelRatio || 1
        const [wide, high] = [Math.round(this.width * density), Math.round(this.height * density)]
        if (this.canvas.width !== wide || this.canvas.height !== high) {
            this.canvas.width = wide
            this.canvas.height = high
            this.canvas.style.width = `${this.width}px`
            this.canvas.style.height = `${this.height}px`
        }
        const context = this.canvas.getContext('2d')
        context.setTransform(density, 0, 0, density, 0, 0)
        context.clearRect(0, 0, this.width, this.height)
        context.font = '11px system-ui, sans-serif'
        context.lineWidth = 1
        this.paint(context, this.width, this.height)
    }

    get plot_width() {
        return this.width - this.left - this.right
    }
    get plot_height() {
        return this.height - this.top - this.bottom
    }
    x_of(instant, range) {
        return this.left + ((instant - range.from) / (range.until - range.from)) * this.plot_width
    }
    // The range that this plot shows; all of them the same, unless one says otherwise.
    range() {
        return time_range()
    }
    instant_at(x, range = this.range()) {
        return range.from + ((x - this.left) / this.plot_width) * (range.until - range.from)
    }

    listen() {
        const canvas = this.canvas
        let pressed = null
        const x_in = (event) => event.clientX - canvas.getBoundingClientRect().left
        canvas.addEventListener('pointermove', (event) => {
            const x = x_in(event)
            if (pressed !== null && event.buttons & 1) {
                this.brush =
                    Math.abs(x - pressed) > 4 ? [Math.min(x, pressed), Math.max(x, pressed)] : null
            }
            state.set_hover(x < this.left ? null : this.instant_at(x))
        })
        canvas.addEventListener('pointerleave', () => state.set_hover(null))
        canvas.addEventListener('pointerdown', (event) => {
            if (event.button === 0) {
                pressed = x_in(event)
                canvas.setPointerCapture(event.pointerId)
            }
        })
        canvas.addEventListener('pointerup', (event) => {
            if (pressed === null) {
                return
            }
            const x = x_in(event)
            if (Math.abs(x - pressed) > 4) {
                const [from, until] = [
                    this.instant_at(Math.min(x, pressed)),
                    this.instant_at(Math.max(x, pressed)),
                ]
                state.change({ from, until, window: null })
            } else {
                look_at(this.instant_at(x))
            }
            pressed = null
            this.brush = null
        })
        canvas.addEventListener('dblclick', () =>
            state.change({ from: null, until: null, window: null })
        )
        canvas.addEventListener(
            'wheel',
            (event) => {
                event.preventDefault()
                zoom(event.deltaY > 0 ? 1.25 : 0.8, this.instant_at(x_in(event)))
            },
            { passive: false }
        )
    }

    paint_time_axis(context, range) {
        const c = colours()
        const span = range.until - range.from
        const most = Math.max(2, Math.floor(this.plot_width / 90))
        const step = TIME_STEPS.find((each) => span / each <= most) ?? nice_step(span, most)
        const base = this.height - this.bottom
        context.textAlign = 'center'
        context.textBaseline = 'top'
        context.strokeStyle = c.grid
        context.fillStyle = c.dim
        context.beginPath()
        for (let at = Math.ceil(range.from / step) * step; at <= range.until; at += step) {
            const x = Math.round(this.x_of(at, range)) + 0.5
            context.moveTo(x, this.top)
            context.lineTo(x, base)
            const text = clock(at, step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 1e-3 ? 3 : 6)
            const half = context.measureText(text).width / 2
            if (x + half < this.width && x - half > 0) {
                context.fillText(text, x, base + 4)
            }
        }
        context.stroke()
    }

    // Faults as bands, violations and marks as lines, beneath what is drawn after.
    paint_marks(context, range, thin = false) {
        const c = colours()
        const base = this.height - this.bottom
        context.save()
        context.beginPath()
        context.rect(this.left, 0, this.plot_width, base)
        context.clip()
        for (const each of source.timeline.faults) {
            const from = this.x_of(each.from, range)
            const until = this.x_of(each.until ?? Math.max(range.until, each.from), range)
            if (until >= this.left && from <= this.left + this.plot_width) {
                context.fillStyle = thin ? c.vermillion : c.band
                context.fillRect(
                    from,
                    this.top,
                    Math.max(1.5, until - from),
                    thin ? 4 : base - this.top
                )
            }
        }
        context.fillStyle = c.vermillion
        for (const each of source.timeline.violations) {
            const x = this.x_of(each.at, range)
            context.beginPath()
            context.moveTo(x - 4, this.top - 5)
            context.lineTo(x + 4, this.top - 5)
            context.lineTo(x, this.top + 3)
            context.fill()
        }
        context.strokeStyle = c.purple
        context.setLineDash([2, 3])
        context.beginPath()
        for (const each of source.timeline.marks) {
            const x = Math.round(this.x_of(each.at, range)) + 0.5
            context.moveTo(x, this.top)
            context.lineTo(x, base)
        }
        context.stroke()
        context.restore()
    }

    paint_cursors(context, range) {
        const c = colours()
        const base = this.height - this.bottom
        const line = (instant, dash, width) => {
            const x = Math.round(this.x_of(instant, range)) + 0.5
            if (x < this.left || x > this.left + this.plot_width + 1) {
                return
            }
            context.setLineDash(dash)
            context.lineWidth = width
            context.beginPath()
            context.moveTo(x, 0)
            context.lineTo(x, base)
            context.stroke()
        }
        context.save()
        context.strokeStyle = c.cursor
        if (state.at !== null) {
            line(state.at, [], 2)
        }
        if (state.hover !== null) {
            line(state.hover, [3, 3], 1)
        }
        if (this.brush) {
            context.fillStyle = c.blue
            context.globalAlpha = 0.25
            context.fillRect(
                this.brush[0],
                this.top,
                this.brush[1] - this.brush[0],
                base - this.top
            )
        }
        context.restore()
    }

    paint_value_axis(context, most, format) {
        const c = colours()
        const ticks = Math.max(1, Math.min(5, Math.floor(this.plot_height / 26)))
        const step = nice_step(most, ticks)
        const top = Math.ceil(most / step - 1e-9) * step
        const base = this.height - this.bottom
        context.textAlign = 'right'
        context.textBaseline = 'middle'
        context.strokeStyle = c.grid
        context.fillStyle = c.dim
        context.beginPath()
        for (let value = 0; value <= top * 1.0001; value += step) {
            const y = Math.round(base - (value / top) * this.plot_height) + 0.5
            context.moveTo(this.left, y)
            context.lineTo(this.left + this.plot_width, y)
            context.fillText(format(value), this.left - 6, Math.max(y, 6))
        }
        context.stroke()
        return top
    }
}
