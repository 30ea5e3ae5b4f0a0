// Elements without a framework, and the small parts that views share.

// h('td.number', {title: 'why'}, 'text', child...): an element. `on` names listeners; a value of
// null, undefined or false leaves an attribute out. Text is always set as text, never as HTML.
export function h(tag, attributes = {}, ...children) {
    const [name, ...classes] = tag.split('.')
    const out =
        name === 'svg' || SVG_NAMES.has(name)
            ? document.createElementNS('http://www.w3.org/2000/svg', name)
            : document.createElement(name)
    if (classes.length !== 0) {
        out.setAttribute('class', classes.join(' '))
    }
    for (const [key, value] of Object.entries(attributes)) {
        if (key === 'on') {
            for (const [event, listener] of Object.entries(value)) {
                out.addEventListener(event, listener)
            }
        } else if (key === 'value' || key === 'checked' || key === 'disabled') {
            out[key] = value
        } else if (value !== null && value !== undefined && value !== false) {
            out.setAttribute(key, value === true ? '' : value)
        }
    }
    append(out, children)
    return out
}

const SVG_NAMES = new Set([
    'g',
    'line',
    'path',
    'text',
    'rect',
    'circle',
    'tspan',
    'defs',
    'marker',
    'polygon',
])

function append(to, children) {
    for (const each of children) {
        if (Array.isArray(each)) {
            append(to, each)
        } else if (each !== null && each !== undefined && each !== false) {
            to.append(each instanceof Node ? each : String(each))
        }
    }
}

export function fill(element, ...children) {
    element.replaceChildren()
    append(element, children)
    return element
}

// Makes the inside of elements anew; the button that had the focus has it again.
export function keep_focus(elements, make) {
    const buttons = () => elements.flatMap((each) => [...each.querySelectorAll('button')])
    const focused = buttons().indexOf(document.activeElement)
    make()
    if (focused >= 0) {
        buttons()[focused]?.focus({ preventScroll: true })
    }
}

// Sets a text only where it changes, so that a tick does not dirty the layout.
export function set_text(element, text) {
    if (element.textContent !== text) {
        element.textContent = text
    }
}

// Disabled with a reason that is shown on hover and read out, or enabled with a plain title.
export function set_enabled(element, enabled, reason, title = '') {
    element.disabled = !enabled
    element.title = enabled ? title : `${title ? title + ' - ' : ''}not now: ${reason}`
}

export function select(label, options, value, change, attributes = {}) {
    return h(
        'select',
        {
            'aria-label': label,
            title: label,
            ...attributes,
            on: { change: (event) => change(event.target.value) },
        },
        options.map((each) => {
            const [key, text] = Array.isArray(each) ? each : [each, each]
            return h('option', { value: key, selected: String(key) === String(value ?? '') }, text)
        })
    )
}

export function select_value(element, value) {
    const wanted = String(value ?? '')
    if (element.value !== wanted) {
        element.value = wanted
    }
}

export function field(label, control) {
    return h('label.field', {}, h('span', {}, label), control)
}

// A text input that reports what is typed after a pause, or at once with Enter.
export function text_input(label, value, change, attributes = {}) {
    let timer
    const input = h('input', {
        type: 'text',
        'aria-label': label,
        value: value ?? '',
        spellcheck: 'false',
        autocomplete: 'off',
        ...attributes,
        on: {
            input: () => {
                clearTimeout(timer)
                timer = setTimeout(() => change(input.value.trim()), 250)
            },
            keydown: (event) => {
                if (event.key === 'Enter') {
                    clearTimeout(timer)
                    change(input.value.trim())
                } else if (event.key === 'Escape') {
                    input.blur()
                    event.stopPropagation()
                }
            },
        },
    })
    return input
}

export function button(text, title, press, classes = '') {
    return h('button' + classes, { type: 'button', title, on: { click: press } }, text)
}

export function copy_button(text_of) {
    const out = button('Copy', 'Copy to the clipboard', async () => {
        try {
            await navigator.clipboard.writeText(text_of())
            out.textContent = 'Copied'
        } catch {
            out.textContent = 'Select and copy by hand'
        }
        setTimeout(() => {
            out.textContent = 'Copy'
        }, 1500)
    })
    return out
}

// A table of rows that are there at once. Columns: {name, title, number, cell(row)}.
export function table(label, columns, rows, attributes = {}) {
    return h(
        'table',
        { 'aria-label': label, ...attributes },
        h(
            'thead',
            {},
            h(
                'tr',
                {},
                columns.map((each) =>
                    h(
                        each.number ? 'th.number' : 'th',
                        { scope: 'col', title: each.title },
                        each.name
                    )
                )
            )
        ),
        h(
            'tbody',
            {},
            rows.map((row) =>
                h(
                    'tr',
                    {},
                    columns.map((each) =>
                        h(
                            each.number ? 'td.number' : each.wraps ? 'td.wraps' : 'td',
                            {},
                            each.cell(row)
                        )
                    )
                )
            )
        )
    )
}

const ROW_HEIGHT = 26

// A table of any length of which only what is visible exists. Rows may come in pieces:
// `row(index)` gives one, or null while it is under way; `wanted(from, count)` hears which are
// seen.
export class VirtualTable {
    constructor(label, columns, { row, wanted = () => {}, open = () => {}, key = () => null }) {
        this.columns = columns
        this.options = { row, wanted, open, key }
        this.count = 0
        this.selected = -1
        this.selected_key = null
        this.head = h(
            'tr',
            {},
            columns.map((each) => this.head_cell(each))
        )
        this.body = h('tbody')
        this.table = h(
            'table.virtual',
            { 'aria-label': label },
            h(
                'colgroup',
                {},
                columns.map((each) => h('col', { style: `width:${each.width}` }))
            ),
            h('thead', {}, this.head),
            this.body
        )
        this.element = h(
            'div.scroll',
            {
                tabindex: '0',
                role: 'region',
                'aria-label': label,
                on: { scroll: () => this.draw(), keydown: (event) => this.key(event) },
            },
            this.table
        )
        new ResizeObserver(() => this.draw()).observe(this.element)
    }

    head_cell(column) {
        const inner = column.sort
            ? h(
                  'button.sort',
                  {
                      type: 'button',
                      title: column.title ?? `Sort by ${column.name}`,
                      on: { click: column.sort },
                  },
                  column.name
              )
            : column.name
        const out = h(
            column.number ? 'th.number' : 'th',
            { scope: 'col', title: column.title },
            inner
        )
        column.head = out
        return out
    }

    // Which column is sorted by, for eyes and for readers.
    sorted(name) {
        for (const each of this.columns) {
            if (each.sort && each.order === name) {
                each.head.setAttribute('aria-sort', name === 'name' ? 'ascending' : 'descending')
            } else {
                each.head.removeAttribute('aria-sort')
            }
        }
    }

    visible() {
        const from = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - 4)
        const count = Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 8
        return { from: Math.min(from, Math.max(0, this.count - 1)), count }
    }

    draw() {
        const { from, count } = this.visible()
        const until = Math.min(this.count, from + count)
        this.options.wanted(from, count)
        const rows = []
        for (let i = from; i < until; ++i) {
            const row = this.options.row(i)
            const selected =
                row !== null &&
                this.selected_key !== null &&
                this.options.key(row) === this.selected_key
            rows.push(
                h(
                    'tr',
                    {
                        'aria-rowindex': i + 2,
                        'aria-selected': selected ? 'true' : null,
                        on: { click: () => this.select(i, true) },
                    },
                    this.columns.map((each) =>
                        h(
                            each.number ? 'td.number' : 'td',
                            {},
                            row === null ? '' : each.cell(row, i)
                        )
                    )
                )
            )
        }
        this.table.setAttribute('aria-rowcount', this.count + 1)
        fill(
            this.body,
            h(
                'tr.spacer',
                { 'aria-hidden': 'true' },
                h('td', { colspan: this.columns.length, style: `height:${from * ROW_HEIGHT}px` })
            ),
            rows,
            h(
                'tr.spacer',
                { 'aria-hidden': 'true' },
                h('td', {
                    colspan: this.columns.length,
                    style: `height:${(this.count - until) * ROW_HEIGHT}px`,
                })
            )
        )
    }

    select(index, open) {
        const row = this.options.row(index)
        if (row === null || row === undefined) {
            return
        }
        this.selected = index
        this.selected_key = this.options.key(row)
        const top = index * ROW_HEIGHT
        const head = this.head.offsetHeight
        if (top < this.element.scrollTop) {
            this.element.scrollTop = top
        } else if (top + ROW_HEIGHT + head > this.element.scrollTop + this.element.clientHeight) {
            this.element.scrollTop = top + ROW_HEIGHT + head - this.element.clientHeight
        }
        this.draw()
        if (open) {
            this.options.open(row, index)
        }
    }

    key(event) {
        const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT) - 2)
        const moves = {
            ArrowDown: 1,
            ArrowUp: -1,
            PageDown: page,
            PageUp: -page,
            Home: -this.count,
            End: this.count,
        }
        if (event.key in moves && event.target === this.element) {
            const to = Math.min(this.count - 1, Math.max(0, this.selected + moves[event.key]))
            this.select(to, false)
            event.preventDefault()
            event.stopPropagation()
        } else if (event.key === 'Enter' && event.target === this.element && this.selected >= 0) {
            this.select(this.selected, true)
            event.stopPropagation()
        }
    }
}
