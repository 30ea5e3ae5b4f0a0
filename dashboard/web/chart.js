// Charts over time on a canvas: as many points as pixels, one time cursor and one range for all.

import { h, set_text } from './dom.js'
import { clock, clock_for, colours } from './format.js'
import { source, time_range, whole_range } from './history.js'
import { state } from './state.js'

const LEFT = 54
const BOTTOM = 18
const TOP = 6

const TIME_STEPS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300,
    600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000]

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
        state.change({ from: null, until: null, window: until - from })  // goes on following
    } else {
        state.change({ from, until, window: null })
    }
}

export const can_look_back = () => source.description?.keeps_history === true
export const no_history = 'this source answers for the present only'

export function look_at(instant) {
    if (!can_look_back()) {
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

    get plot_width() { return this.width - this.left - this.right }
    get plot_height() { return this.height - this.top - this.bottom }
    x_of(instant, range) {
        return this.left + (instant - range.from) / (range.until - range.from) * this.plot_width
    }
    // The range that this plot shows; all of them the same, unless one says otherwise.
    range() { return time_range() }
    instant_at(x, range = this.range()) {
        return range.from + (x - this.left) / this.plot_width * (range.until - range.from)
    }

    listen() {
        const canvas = this.canvas
        let pressed = null
        const x_in = (event) => event.clientX - canvas.getBoundingClientRect().left
        canvas.addEventListener('pointermove', (event) => {
            const x = x_in(event)
            if (pressed !== null && (event.buttons & 1)) {
                this.brush = Math.abs(x - pressed) > 4 ? [Math.min(x, pressed), Math.max(x, pressed)] : null
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
                const [from, until] = [this.instant_at(Math.min(x, pressed)),
                    this.instant_at(Math.max(x, pressed))]
                state.change({ from, until, window: null })
            } else {
                look_at(this.instant_at(x))
            }
            pressed = null
            this.brush = null
        })
        canvas.addEventListener('dblclick', () =>
            state.change({ from: null, until: null, window: null }))
        canvas.addEventListener('wheel', (event) => {
            event.preventDefault()
            zoom(event.deltaY > 0 ? 1.25 : 0.8, this.instant_at(x_in(event)))
        }, { passive: false })
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
                context.fillRect(from, this.top, Math.max(1.5, until - from), thin ? 4 : base - this.top)
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
            context.fillRect(this.brush[0], this.top, this.brush[1] - this.brush[0], base - this.top)
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
            const y = Math.round(base - value / top * this.plot_height) + 0.5
            context.moveTo(this.left, y)
            context.lineTo(this.left + this.plot_width, y)
            context.fillText(format(value), this.left - 6, Math.max(y, 6))
        }
        context.stroke()
        return top
    }
}

// Lines or stacked areas over time, with a legend that tells the values under the cursor. Series:
// {name, colour: "blue", dash, values(points, range): array as long as points, NaN where there is none}.
export class TimeChart extends Plot {
    constructor(title, { series, format, height = 132, stacked = false, log = false, points, least = 1 }) {
        super(title, height)
        Object.assign(this, { series, format, stacked, log, points_of: points, least })
        this.legend = series.map((each) => ({
            value: h('b'), swatch: h('i.swatch', { 'aria-hidden': 'true' }), each }))
        this.element = h('figure.chart', {},
            h('figcaption', {}, h('span.chart_title', {}, title),
                this.legend.map(({ value, swatch, each }) =>
                    h('span.legend', {}, swatch, each.name + ' ', value))), this.element)
    }

    paint(context) {
        const c = colours()
        const range = this.range()
        const points = this.points_of(range)
        const columns = this.series.map((each) => each.values(points, range))
        if (this.stacked) {
            for (let k = 1; k < columns.length; ++k) {
                columns[k] = columns[k].map((value, i) => value + columns[k - 1][i])
            }
        }
        const folded = columns.map((each) => this.fold(points, each, range))
        const most = Math.max(this.least, ...folded.map((each) => each.most))
        this.paint_marks(context, range)
        this.paint_time_axis(context, range)
        const base = this.height - this.bottom
        const y_of = this.log ? this.paint_log_axis(context, folded) : this.paint_linear(context, most, base)
        context.save()
        context.beginPath()
        context.rect(this.left, 0, this.plot_width, base + 1)
        context.clip()
        for (let k = folded.length - 1; k >= 0; --k) {
            context.strokeStyle = context.fillStyle = c[this.series[k].colour]
            if (this.stacked) {
                this.area(context, folded[k], k === 0 ? null : folded[k - 1], y_of, base)
            } else {
                this.line(context, folded[k], y_of, this.series[k].dash)
            }
        }
        context.restore()
        this.paint_cursors(context, range)
        this.tell(points, columns, range)
    }

    paint_linear(context, most, base) {
        const top = this.paint_value_axis(context, most, this.format)
        return (value) => base - value / top * this.plot_height
    }

    // From the power of ten below the least to the one above the most.
    paint_log_axis(context, folded) {
        const c = colours()
        const values = folded.flatMap((each) => each.low).filter((each) => each > 0)
        const high = Math.ceil(Math.log10(Math.max(1e-9, ...folded.map((each) => each.most))) - 1e-9)
        const low = Math.min(high - 1, Math.floor(Math.log10(values.reduce((a, b) => Math.min(a, b), 10 ** high))))
        const base = this.height - this.bottom
        const y_of = (value) => base - (Math.log10(Math.max(value, 1e-12)) - low) / (high - low) * this.plot_height
        if (values.length === 0) {
            return y_of
        }
        context.textAlign = 'right'
        context.textBaseline = 'middle'
        context.strokeStyle = c.grid
        context.fillStyle = c.dim
        context.beginPath()
        const step = Math.ceil((high - low) / Math.max(1, Math.floor(this.plot_height / 22)))
        for (let power = low; power <= high; power += step) {
            const y = Math.round(y_of(10 ** power)) + 0.5
            context.moveTo(this.left, y)
            context.lineTo(this.left + this.plot_width, y)
            context.fillText(this.format(10 ** power), this.left - 6, Math.max(y, 6))
        }
        context.stroke()
        return y_of
    }

    // Least and most of each pixel column, so that no peak is lost.
    fold(points, column, range) {
        const out = { x: [], low: [], high: [], most: 0 }
        let last = NaN
        for (let i = 0; i < points.length; ++i) {
            const value = column[i]
            if (Number.isNaN(value)) {
                continue
            }
            const x = Math.round(this.x_of(points[i].at, range) * 2) / 2
            if (points[i].at >= range.from && points[i].at <= range.until) {
                out.most = Math.max(out.most, value)
            }
            const k = out.x.length - 1
            if (x === last) {
                out.low[k] = Math.min(out.low[k], value)
                out.high[k] = Math.max(out.high[k], value)
            } else {
                out.x.push(x)
                out.low.push(value)
                out.high.push(value)
                last = x
            }
        }
        return out
    }

    line(context, folded, y_of, dash) {
        context.lineWidth = 1.75
        context.lineJoin = 'round'
        context.setLineDash(dash ?? [])
        context.beginPath()
        for (let k = 0; k < folded.x.length; ++k) {
            context.lineTo(folded.x[k], y_of(folded.low[k]))
            if (folded.high[k] !== folded.low[k]) {
                context.lineTo(folded.x[k], y_of(folded.high[k]))
            }
        }
        context.stroke()
        context.setLineDash([])
    }

    area(context, folded, below, y_of, base) {
        context.beginPath()
        for (let k = 0; k < folded.x.length; ++k) {
            context.lineTo(folded.x[k], y_of(folded.high[k]))
        }
        if (below) {
            for (let k = below.x.length - 1; k >= 0; --k) {
                context.lineTo(below.x[k], y_of(below.high[k]))
            }
        } else if (folded.x.length !== 0) {
            context.lineTo(folded.x.at(-1), base)
            context.lineTo(folded.x[0], base)
        }
        context.globalAlpha = 0.75
        context.fill()
        context.globalAlpha = 1
    }

    tell(points, columns, range) {
        const at = state.hover ?? state.at ?? range.until
        let i = points.length - 1
        while (i > 0 && (points[i].at > at + 1e-9 || columns.every((each) => Number.isNaN(each[i])))) {
            --i
        }
        this.legend.forEach(({ value, swatch, each }, k) => {
            const below = this.stacked && k > 0 ? columns[k - 1][i] || 0 : 0
            const own = columns[k][i] - below
            set_text(value, i < 0 || Number.isNaN(own) || own === undefined ? '–' : this.format(own))
            swatch.style.background = colours()[each.colour]
        })
        this.canvas.setAttribute('aria-label', `${this.label}: `
            + this.legend.map(({ each, value }) => `${each.name} ${value.textContent}`).join(', ')
            + ` at ${clock_for(at, range.until - range.from)}`)
    }
}
