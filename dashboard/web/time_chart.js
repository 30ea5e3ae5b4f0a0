// Lines and areas over time, with their legend.

import { Plot } from './chart.js'
import { h, set_text } from './dom.js'
import { clock_for, colours } from './format.js'
import { state } from './state.js'

// Lines or stacked areas over time, with a legend that tells the values under the cursor. Series:
// {name, colour: "blue", dash, values(points, range): array as long as points, NaN where there is
// none}.
export class TimeChart extends Plot {
    constructor(
        title,
        { series, format, height = 132, stacked = false, log = false, points, least = 1 }
    ) {
        super(title, height)
        Object.assign(this, { series, format, stacked, log, points_of: points, least })
        this.legend = series.map((each) => ({
            value: h('b'),
            swatch: h('i.swatch', { 'aria-hidden': 'true' }),
            each,
        }))
        this.element = h(
            'figure.chart',
            {},
            h(
                'figcaption',
                {},
                h('span.chart_title', {}, title),
                this.legend.map(({ value, swatch, each }) =>
                    h('span.legend', {}, swatch, each.name + ' ', value)
                )
            ),
            this.element
        )
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
        const y_of = this.log
            ? this.paint_log_axis(context, folded)
            : this.paint_linear(context, most, base)
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
        return (value) => base - (value / top) * this.plot_height
    }

    // From the power of ten below the least to the one above the most.
    paint_log_axis(context, folded) {
        const c = colours()
        const values = folded.flatMap((each) => each.low).filter((each) => each > 0)
        const high = Math.ceil(
            Math.log10(Math.max(1e-9, ...folded.map((each) => each.most))) - 1e-9
        )
        const low = Math.min(
            high - 1,
            Math.floor(Math.log10(values.reduce((a, b) => Math.min(a, b), 10 ** high)))
        )
        const base = this.height - this.bottom
        const y_of = (value) =>
            base - ((Math.log10(Math.max(value, 1e-12)) - low) / (high - low)) * this.plot_height
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
        while (
            i > 0 &&
            (points[i].at > at + 1e-9 || columns.every((each) => Number.isNaN(each[i])))
        ) {
            --i
        }
        this.legend.forEach(({ value, swatch, each }, k) => {
            const below = this.stacked && k > 0 ? columns[k - 1][i] || 0 : 0
            const own = columns[k][i] - below
            set_text(
                value,
                i < 0 || Number.isNaN(own) || own === undefined ? '–' : this.format(own)
            )
            swatch.style.background = colours()[each.colour]
        })
        this.canvas.setAttribute(
            'aria-label',
            `${this.label}: ` +
                this.legend
                    .map(({ each, value }) => `${each.name} ${value.textContent}`)
                    .join(', ') +
                ` at ${clock_for(at, range.until - range.from)}`
        )
    }
}
