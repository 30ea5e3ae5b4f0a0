// Plots of other shapes: latencies over time as a heat map, as a histogram, things in lanes, and a
// line as small as a word.

import { Plot } from './chart.js'
import { h } from './dom.js'
import { cividis, colours, counts_between, lasting, rgb, short } from './format.js'
import { source } from './history.js'

// The buckets between the first and the last that is used, with one more on either side.
export function used_buckets(counts) {
    let first = counts.findIndex((each) => each > 0)
    if (first < 0) {
        return null
    }
    let last = counts.findLastIndex((each) => each > 0)
    first = Math.max(0, first - 1)
    last = Math.max(first + 4, last + 1)
    return { first, last }
}

const lower_bound = (bounds, i) => (i === 0 ? bounds[0] / 2 : bounds[i - 1])

// Bounds that are round enough to stand at an axis: 1, 10, 100 and so on, and what is between.
function bound_ticks(bounds, first, last, most) {
    const low = Math.log10(lower_bound(bounds, first))
    const high = Math.log10(bounds[Math.min(last, bounds.length - 1)])
    const out = []
    for (let power = Math.floor(low); power <= Math.ceil(high); ++power) {
        for (const each of high - low < most / 3 ? [1, 2, 5] : [1]) {
            const value = each * 10 ** power
            if (Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9) {
                out.push({ value, share: (Math.log10(value) - low) / (high - low) })
            }
        }
    }
    return out
}

export class HeatMap extends Plot {
    constructor(title, height, points_of) {
        super(title, height)
        this.points_of = points_of
        this.sheet = document.createElement('canvas')
    }

    paint(context) {
        const c = colours()
        const bounds = source.description?.latency_bounds ?? []
        const range = this.range()
        const points = this.points_of(range)
        const columns = Math.max(1, Math.min(240, Math.floor(this.plot_width / 4)))
        const step = (range.until - range.from) / columns
        const cells = Array.from({ length: columns }, () => new Float64Array(bounds.length))
        const all = new Float64Array(bounds.length)
        for (let i = 1; i < points.length; ++i) {
            const between = counts_between(points[i].latency, points[i - 1].latency)
            // What came between two points is spread evenly over the columns that they span.
            const from = (points[i - 1].at - range.from) / step
            const until = Math.max((points[i].at - range.from) / step, from + 1e-9)
            for (let k = Math.max(0, Math.floor(from)); k < Math.min(columns, until); ++k) {
                const share = (Math.min(until, k + 1) - Math.max(from, k)) / (until - from)
                for (let b = 0; b < between.length; ++b) {
                    if (between[b] !== 0) {
                        all[b] += between[b] * share
                        cells[k][b] += between[b] * share
                    }
                }
            }
        }
        const used = used_buckets(all)
        this.paint_time_axis(context, range)
        const base = this.height - this.bottom
        if (used) {
            this.paint_cells(context, cells, used)
            context.textAlign = 'right'
            context.textBaseline = 'middle'
            context.fillStyle = c.dim
            for (const { value, share } of bound_ticks(
                bounds,
                used.first,
                used.last,
                this.plot_height / 22
            )) {
                context.fillText(
                    lasting(value),
                    this.left - 6,
                    Math.min(base - 4, Math.max(6, base - share * this.plot_height))
                )
            }
        } else {
            context.textAlign = 'center'
            context.fillStyle = c.dim
            context.fillText(
                'Nothing was delivered in this range.',
                this.width / 2,
                this.height / 2
            )
        }
        this.paint_marks(context, range, true)
        this.paint_cursors(context, range)
    }

    paint_cells(context, cells, { first, last }) {
        const rows = last - first + 1
        let most = 1
        for (const column of cells) {
            for (let b = first; b <= last; ++b) {
                most = Math.max(most, column[b] ?? 0)
            }
        }
        this.most = most
        this.sheet.width = cells.length
        this.sheet.height = rows
        const sheet = this.sheet.getContext('2d')
        const image = sheet.createImageData(cells.length, rows)
        cells.forEach((column, x) => {
            for (let b = first; b <= last; ++b) {
                const value = column[b] ?? 0
                if (value <= 0) {
                    continue
                }
                const place = ((rows - 1 - (b - first)) * cells.length + x) * 4
                const colour = cividis(0.12 + (0.88 * Math.log1p(value)) / Math.log1p(most))
                image.data.set([...colour, 255], place)
            }
        })
        sheet.putImageData(image, 0, 0)
        context.imageSmoothingEnabled = false
        context.drawImage(this.sheet, this.left, this.top, this.plot_width, this.plot_height)
    }
}

export class Histogram extends Plot {
    constructor(title, height) {
        super(title, height, { time: false })
        this.counts = []
        this.marks = [] // [{name, value}] lines at latencies
        this.pointer = null
        this.canvas.addEventListener('pointermove', (event) => {
            this.pointer = event.offsetX
            this.on_resize()
        })
        this.canvas.addEventListener('pointerleave', () => {
            this.pointer = null
            this.on_resize()
        })
    }

    paint(context) {
        const c = colours()
        const bounds = source.description?.latency_bounds ?? []
        const used = used_buckets(this.counts)
        const base = this.height - this.bottom
        if (!used) {
            context.textAlign = 'center'
            context.fillStyle = c.dim
            context.fillText('Nothing was delivered so far.', this.width / 2, this.height / 2)
            return
        }
        const most = this.counts.reduce((a, b) => Math.max(a, b), 1)
        const top = this.paint_value_axis(context, most, short)
        const wide = this.plot_width / (used.last - used.first + 1)
        context.fillStyle = c.blue
        for (let b = used.first; b <= used.last; ++b) {
            const high = ((this.counts[b] ?? 0) / top) * this.plot_height
            const shown = this.counts[b] > 0 ? Math.max(1, high) : 0
            context.fillRect(
                this.left + (b - used.first) * wide + 0.5,
                base - shown,
                Math.max(1, wide - 1),
                shown
            )
        }
        context.textAlign = 'center'
        context.textBaseline = 'top'
        context.fillStyle = c.dim
        const low = Math.log(lower_bound(bounds, used.first))
        const high = Math.log(bounds[Math.min(used.last, bounds.length - 1)])
        const x_of = (value) =>
            this.left + ((Math.log(value) - low) / (high - low)) * this.plot_width
        for (const { value } of bound_ticks(bounds, used.first, used.last, this.plot_width / 60)) {
            context.fillText(lasting(value), Math.min(this.width - 22, x_of(value)), base + 4)
        }
        context.textAlign = 'left'
        let row = 0
        for (const { name, value } of this.marks) {
            if (value === null) {
                continue
            }
            const x = Math.round(x_of(value)) + 0.5
            context.strokeStyle = c.orange
            context.setLineDash([4, 3])
            context.beginPath()
            context.moveTo(x, this.top)
            context.lineTo(x, base)
            context.stroke()
            context.setLineDash([])
            context.fillStyle = c.text
            const text = `${name} ${lasting(value)}`
            const wide_text = context.measureText(text).width
            context.fillText(
                text,
                x + 4 + wide_text > this.width ? x - 4 - wide_text : x + 4,
                this.top + 13 * row++
            )
        }
        if (this.pointer !== null && this.pointer > this.left) {
            const b = used.first + Math.floor((this.pointer - this.left) / wide)
            const text =
                `${lasting(lower_bound(bounds, b))} – ${lasting(bounds[b])}: ` +
                short(this.counts[b] ?? 0)
            context.fillStyle = c.text
            context.textAlign = 'right'
            context.fillText(text, this.width - 10, this.top + 13 * row)
        }
    }
}

// What happened, a lane each: bars for what lasts, glyphs for what is a moment.
// lanes(): [{name, items: [{from, until, colour, glyph, text}]}]
export class Lanes extends Plot {
    constructor(title, height, lanes, { left = 130, press = () => {} } = {}) {
        super(title, height, { left })
        this.lanes = lanes
        this.press = press
        this.spots = []
        this.canvas.addEventListener('pointermove', (event) => {
            const spot = this.spot(event)
            this.canvas.title = spot?.text ?? ''
        })
        this.canvas.addEventListener('click', (event) => {
            const spot = this.spot(event)
            if (spot) {
                this.press(spot)
            }
        })
    }

    spot(event) {
        return this.spots.findLast(
            (each) =>
                event.offsetX >= each.x - 5 &&
                event.offsetX <= each.x + each.wide + 5 &&
                Math.abs(event.offsetY - each.y) <= 10
        )
    }

    paint(context) {
        const c = colours()
        const range = this.range()
        const lanes = this.lanes()
        const high = Math.min(28, this.plot_height / Math.max(1, lanes.length))
        this.spots = []
        this.paint_time_axis(context, range)
        lanes.forEach((lane, k) => {
            const y = this.top + (k + 0.5) * high
            context.fillStyle = c.dim
            context.textAlign = 'left'
            context.textBaseline = 'middle'
            context.fillText(fit(context, lane.name, this.left - 12), 4, y)
            context.save()
            context.beginPath()
            context.rect(this.left, 0, this.plot_width, this.height - this.bottom)
            context.clip()
            for (const each of lane.items) {
                const x = this.x_of(each.from, range)
                context.fillStyle = c[each.colour]
                let wide = 0
                if (each.until !== undefined) {
                    wide = Math.max(2, this.x_of(each.until, range) - x)
                    context.globalAlpha = 0.6
                    context.fillRect(x, y - high * 0.32, wide, high * 0.64)
                    context.globalAlpha = 1
                }
                if (each.glyph && (each.until === undefined || wide > 14)) {
                    context.textAlign = each.until === undefined ? 'center' : 'left'
                    context.fillStyle = each.until === undefined ? c[each.colour] : c.text
                    context.fillText(
                        each.until === undefined
                            ? each.glyph
                            : fit(context, `${each.glyph} ${each.label ?? ''}`, wide - 6),
                        each.until === undefined ? x : Math.max(x, this.left) + 4,
                        y
                    )
                }
                this.spots.push({ ...each, x, y, wide })
            }
            context.restore()
        })
        this.paint_cursors(context, range)
    }
}

export function fit(context, text, wide) {
    if (context.measureText(text).width <= wide) {
        return text
    }
    let size = text.length
    while (size > 1 && context.measureText(text.slice(0, size) + '…').width > wide) {
        --size
    }
    return size <= 1 ? '' : text.slice(0, size) + '…'
}

export function sparkline(numbers, wide = 80, high = 18) {
    const density = window.devicePixelRatio || 1
    const canvas = h('canvas.spark', {
        width: wide * density,
        height: high * density,
        style: `width:${wide}px;height:${high}px`,
        role: 'img',
        'aria-label': `rates so far, the newest last: ${numbers.slice(-5).map(short).join(', ')}`,
    })
    const context = canvas.getContext('2d')
    context.scale(density, density)
    const most = numbers.reduce((a, b) => Math.max(a, b), 0)
    context.strokeStyle = colours().blue
    context.lineWidth = 1.25
    context.beginPath()
    numbers.forEach((each, i) =>
        context.lineTo(
            1 + (i * (wide - 2)) / Math.max(1, numbers.length - 1),
            high - 2 - (most > 0 ? each / most : 0) * (high - 4)
        )
    )
    context.stroke()
    return canvas
}

export const cividis_scale = () =>
    `linear-gradient(90deg, ${Array.from({ length: 9 }, (_, i) =>
        rgb(cividis(0.12 + (0.88 * i) / 8))
    ).join(', ')})`
